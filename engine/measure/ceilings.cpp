#include "engine/measure/ceilings.hpp"

#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

#include "engine/measure/trial_loops.hpp"

namespace loglog {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Units per second of `threads` threads that all run `body(thread)`, which returns the units it did, over and over for
/// `seconds`, at least three times: the sum of each thread's best trial. No thread waits for another between trials, so
/// that one which other work pushes off its core spoils only its own trial.
template <class Body>
double best_rate(int threads, double seconds, Body body) {
    double sum = 0;
#pragma omp parallel num_threads(threads) reduction(+ : sum)
    {
        double best = 0;
#pragma omp barrier
        const auto begin = Clock::now();
        for (int trial = 0; trial < 3 || seconds_since(begin) < seconds; ++trial) {
            const auto start = Clock::now();
            const double done = body(omp_get_thread_num());
            best = std::max(best, done / seconds_since(start));
        }
        sum += best;
    }
    return sum;
}

std::size_t cache_bytes(int name, std::size_t otherwise) {
    const long bytes = sysconf(name);
    return bytes > 0 ? static_cast<std::size_t>(bytes) : otherwise;
}

/// Bytes per second of a triad whose three arrays take `bytes` on each of `threads` threads.
double triad_rate(int threads, std::size_t bytes, double trial_seconds) {
    struct Arrays {
        std::vector<float> a, b, c;
    };
    std::vector<Arrays> arrays(static_cast<std::size_t>(threads));
    const std::size_t count = bytes / (3 * sizeof(float));
#pragma omp parallel num_threads(threads)
    {
        auto& mine = arrays[static_cast<std::size_t>(omp_get_thread_num())];  // touched first by their own thread
        mine = {std::vector<float>(count, 0.0f), std::vector<float>(count, 1.0f), std::vector<float>(count, 2.0f)};
    }
    constexpr double slowest_rate = 8e9;  // decides how often small arrays are gone through in one trial
    const double moved = 3.0 * sizeof(float) * static_cast<double>(count);
    const int rounds = std::max(1, static_cast<int>(trial_seconds * slowest_rate / moved));
    return best_rate(threads, 10 * trial_seconds, [&](int thread) {
        auto& mine = arrays[static_cast<std::size_t>(thread)];
        for (int round = 0; round < rounds; ++round) {
            detail::triad(mine.a.data(), mine.b.data(), mine.c.data(), 0.5f, count);
        }
        return moved * rounds;
    });
}

}  // namespace

double measured_fma_peak(int threads) {
    threads = std::max(threads, 1);
    std::vector<float> sinks(static_cast<std::size_t>(threads) * 64);
    const auto rounds = [&](std::size_t steps) {
        return
            [&, steps](int thread) { return detail::fma_rounds(steps, sinks[static_cast<std::size_t>(thread) * 64]); };
    };
    constexpr std::size_t probe = 20'000;
    constexpr double trial_seconds = 5e-4;
    float sink = 0;
    const double flops_per_step = detail::fma_rounds(1, sink);
    const double steps = trial_seconds * best_rate(1, 0.002, rounds(probe)) / flops_per_step;
    return best_rate(threads, 0.025, rounds(static_cast<std::size_t>(std::max(1.0, steps))));
}

Ceilings measure_ceilings(int threads) {
    constexpr std::size_t mib = 1u << 20;
    threads = std::max(threads, 1);
    const auto parts = static_cast<std::size_t>(threads);
    const std::size_t l2 = cache_bytes(_SC_LEVEL2_CACHE_SIZE, mib);
    const std::size_t l3 = cache_bytes(_SC_LEVEL3_CACHE_SIZE, 16 * mib);
    Ceilings ceilings;
    ceilings.threads = threads;
    ceilings.fma_flops = measured_fma_peak(threads);
    ceilings.triad.l2 = triad_rate(threads, l2 / 2, 1e-3);
    ceilings.triad.l3 = triad_rate(threads, std::max(l3 / 4 / parts, l2), 5e-3);
    ceilings.triad.dram = triad_rate(threads, std::clamp(4 * l3, 64 * mib, 512 * mib) / parts, 1e-2);
    return ceilings;
}

}  // namespace loglog
