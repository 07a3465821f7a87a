#include <chrono>
#include <cstdio>
#include <ctime>
#include <functional>

#include "analysis/fit/parallel.hpp"
#include "analysis/inference/inference.hpp"
#include "bench/analysis/design.hpp"

/// Time of what a fit of `chinchilla` to 245 points is made of, by the clock and by the processor.

namespace {

using namespace loglog;

void report(const char* what, int refits, const std::function<void()>& work) {
    const auto clock_start = std::chrono::steady_clock::now();
    const std::clock_t start = std::clock();
    work();
    const double processor = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    const double clock = std::chrono::duration<double>(std::chrono::steady_clock::now() - clock_start).count();
    std::printf("%-28s %8.3f s  %8.3f processor s", what, clock, processor);
    if (refits > 0) { std::printf("  %8.1f refits per processor s", refits / processor); }
    std::printf("\n");
}

}  // namespace

int main() {
    const Law& law = find_law("chinchilla");
    const Objective objective;
    const Points points = design_points(scattered_design(245), 0.01, 1);
    const int threads = default_threads();
    Optimum optimum;
    report("search, certified", 0, [&] { optimum = find_optimum(law, points, objective, threads); });
    for (const auto kind : {BootstrapKind::cases, BootstrapKind::residuals, BootstrapKind::parametric}) {
        report(to_text(kind), 1000, [&] {
            bootstrap(law, points, objective, optimum, {1000, Seed{1}, threads, kind, IntervalKind::percentile, 0.95});
        });
    }
    report("profiles", 0, [&] { profile_intervals(law, points, objective, optimum, 0.95, threads); });
    InferenceOptions options;
    options.bootstrap.threads = threads;
    report("all that fit does", 0, [&] { infer(law, points, options); });
}
