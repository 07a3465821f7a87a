#include "distributed/collectives/all_reduce_rate.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

namespace loglog {

double all_reduce_seconds(Group& group, std::size_t bytes) {
    using Clock = std::chrono::steady_clock;
    constexpr std::size_t bytes_in_all = std::size_t{256} << 20;
    std::vector<float> x(bytes / sizeof(float), 0);
    // The same number on every rank, so that none waits for one that has gone on.
    const std::size_t repetitions = std::clamp<std::size_t>(bytes_in_all / std::max<std::size_t>(bytes, 1), 5, 501);
    std::vector<double> seconds;
    for (std::size_t i = 0; i < repetitions; ++i) {
        const auto begin = Clock::now();
        group.all_reduce_sum(std::span{x});
        seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    }
    std::ranges::nth_element(seconds, seconds.begin() + static_cast<std::ptrdiff_t>(repetitions / 2));
    return seconds[repetitions / 2];
}

}  // namespace loglog
