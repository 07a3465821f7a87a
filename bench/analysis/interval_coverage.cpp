#include <cstdio>
#include <cstdlib>

#include "analysis/fit/parallel.hpp"
#include "bench/analysis/coverage.hpp"

/// How often 95% intervals of alpha and beta hold the truth, by design, noise, objective and kind of interval:
/// `interval_coverage [SETS [RESAMPLES]]` (500, 1000). The share of 500 has a standard error of 0.01.
int main(int argc, char** argv) {
    using namespace loglog;
    const int sets = argc > 1 ? std::atoi(argv[1]) : 500;
    const int resamples = argc > 2 ? std::atoi(argv[2]) : 1000;
    std::printf("%d sets, %d resamples: share of intervals that hold the truth (mean width)\n", sets, resamples);
    for (const char* objective : {"huber-log", "ls-log"}) {
        for (const Design& design :
             {grid_design(5, 5), grid_design(7, 7), isoflop_design(7, 7), scattered_design(240)}) {
            for (const double noise : {0.001, 0.005, 0.02}) {
                const CoverageCase one{design, parse_objective(objective, 1e-3), noise};
                const auto coverage = coverage_of(one, sets, resamples, default_threads());
                for (const auto& [kind, alpha, beta] : coverage) {
                    std::printf("%-9s %-9s %3zu points, noise %.3f  %-10s  alpha %.3f (%.4f)  beta %.3f (%.4f)\n",
                                objective, design.name.c_str(), design.n.size(), noise, kind.c_str(), alpha.held,
                                alpha.width, beta.held, beta.width);
                }
                std::fflush(stdout);
            }
        }
    }
}
