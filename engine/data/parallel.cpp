#include "engine/data/parallel.hpp"

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace loglog {

void parallel_for(std::size_t count, unsigned threads, const std::function<void(unsigned, std::size_t)>& work) {
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::size_t failed_index = count;
    std::exception_ptr failure;
    const auto run = [&](unsigned thread) {
        for (std::size_t index = next++; index < count; index = next++) {
            try {
                work(thread, index);
            } catch (...) {
                const std::lock_guard lock{mutex};
                if (index < failed_index) {
                    failed_index = index;
                    failure = std::current_exception();
                }
                next = count;
            }
        }
    };
    {
        std::vector<std::jthread> workers;
        for (unsigned thread = 1; thread < threads && thread < count; ++thread) { workers.emplace_back(run, thread); }
        run(0);
    }
    if (failure) { std::rethrow_exception(failure); }
}

}  // namespace loglog
