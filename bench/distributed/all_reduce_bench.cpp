#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "distributed/collectives/mpi_group.hpp"
#include "distributed/mpi/session.hpp"

namespace {

using namespace loglog;
using Clock = std::chrono::steady_clock;

/// Median seconds of one all-reduce of x, over repetitions that together move about 256 MiB.
double median_seconds(Group& group, std::vector<float>& x) {
    const std::size_t repetitions = std::clamp<std::size_t>((64 << 20) / x.size(), 5, 501);
    std::vector<double> seconds;
    for (std::size_t i = 0; i < repetitions; ++i) {
        const auto begin = Clock::now();
        group.all_reduce_sum(std::span{x});
        seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    }
    std::ranges::nth_element(seconds, seconds.begin() + static_cast<std::ptrdiff_t>(repetitions / 2));
    return seconds[repetitions / 2];
}

}  // namespace

/// All-reduce by size: buffer bytes per second, as in `mpirun -n 2 all_reduce_bench`. Its iterations are the same on
/// every rank, which Google Benchmark does not give.
int main() {
    const MpiSession session;
    const auto world = Communicator::world();
    const auto fast = make_group(Communicator::world(), Reduction::fast, "bench");
    const auto tree = make_group(Communicator::world(), Reduction::tree, "bench");
    if (world.rank() == 0) { std::printf("%d ranks\n   bytes   fast us    GB/s   tree us    GB/s\n", world.size()); }
    for (std::size_t bytes = 1 << 10; bytes <= 64 << 20; bytes *= 4) {
        std::vector<float> x(bytes / sizeof(float), 0);
        const double fast_seconds = median_seconds(*fast, x);
        const double tree_seconds = median_seconds(*tree, x);
        const auto rate = [&](double seconds) { return static_cast<double>(bytes) / seconds * 1e-9; };
        if (world.rank() != 0) { continue; }
        std::printf("%8zu %9.1f %7.2f %9.1f %7.2f\n", bytes, 1e6 * fast_seconds, rate(fast_seconds), 1e6 * tree_seconds,
                    rate(tree_seconds));
    }
}
