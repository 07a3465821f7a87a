#pragma once

#include <string>
#include <vector>

#include "analysis/laws/objective.hpp"
#include "bench/analysis/design.hpp"

namespace loglog {

/// Made-up studies of one design, all of the same truth.
struct CoverageCase {
    Design design;
    Objective objective;
    double noise;         ///< standard deviation of ln loss
    double level = 0.95;  ///< of the intervals
};

struct Coverage {
    double held;   ///< share of intervals that hold the truth
    double width;  ///< of the intervals on average; an open side counts as reaching 0 or 10
};

struct KindCoverage {
    std::string kind;  ///< "percentile", "expanded", "bca" or "profile"
    Coverage alpha;
    Coverage beta;
};

/// Fits chinchilla to `sets` data sets and makes every kind of interval, all from the same resamples.
std::vector<KindCoverage> coverage_of(const CoverageCase& one, int sets, int resamples, int threads);

}  // namespace loglog
