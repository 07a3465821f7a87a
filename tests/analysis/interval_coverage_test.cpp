#include <gmock/gmock.h>

#include <cmath>

#include "bench/analysis/coverage.hpp"

// bench/analysis/interval_coverage is the full measurement; this is what of it a test can afford.

namespace loglog {
namespace {

constexpr int sets = 80;
constexpr int resamples = 150;

/// Three standard errors of a share of `sets` beyond `aim` on either side.
double beyond(double aim, double side) { return aim + side * 3 * std::sqrt(aim * (1 - aim) / sets); }

TEST(IntervalCoverage, OfFourIntervalsInFiveIsAsStated) {
    const Objective squares = parse_objective("ls-log", 1e-3);
    for (const Design& design : {grid_design(5, 5), isoflop_design(5, 5)}) {
        const auto coverage = coverage_of({design, squares, 0.005, 0.8}, sets, resamples, 2);
        for (const auto& [kind, alpha, beta] : coverage) {
            if (kind == "expanded") { continue; }  // wider by design
            for (const double held : {alpha.held, beta.held}) {
                EXPECT_GT(held, beyond(0.75, -1)) << design.name << " " << kind;
                EXPECT_LT(held, beyond(0.85, 1)) << design.name << " " << kind;
            }
        }
    }
}

TEST(IntervalCoverage, OfHuberFitsReachesNineteenInTwenty) {
    const auto coverage = coverage_of({grid_design(7, 7), Objective{}, 0.005}, sets, resamples, 2);
    for (const auto& [kind, alpha, beta] : coverage) {
        EXPECT_GT(alpha.held, beyond(0.92, -1)) << kind;
        EXPECT_GT(beta.held, beyond(0.92, -1)) << kind;
    }
}

}  // namespace
}  // namespace loglog
