#pragma once

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace loglog {

/// As many threads as cores this process may use, at least one.
inline int default_threads() {
    const unsigned cores = std::thread::hardware_concurrency();
    return cores == 0 ? 1 : static_cast<int>(cores);
}

/// Runs task(0) ... task(count - 1) on `threads` threads in no stated order; the first exception is rethrown here.
template <class Task>
void parallel_for(int count, int threads, const Task& task) {
    std::atomic<int> next{0};
    std::exception_ptr failure;
    std::mutex failure_mutex;
    const auto work = [&] {
        try {
            for (int i = next++; i < count; i = next++) { task(i); }
        } catch (...) {
            const std::lock_guard lock{failure_mutex};
            if (!failure) { failure = std::current_exception(); }
            next = count;
        }
    };
    {
        std::vector<std::jthread> workers;
        for (int i = 1; i < threads; ++i) { workers.emplace_back(work); }
        work();
    }
    if (failure) { std::rethrow_exception(failure); }
}

}  // namespace loglog
