#pragma once

#include <optional>
#include <vector>

#include "analysis/bootstrap/draws.hpp"
#include "analysis/bootstrap/interval.hpp"
#include "analysis/fit/optimum.hpp"

namespace loglog {

struct BootstrapOptions {
    int resamples = 1000;
    Seed seed{1};
    int threads = 1;
    BootstrapKind kind = BootstrapKind::cases;
    /// Empty: bca for fewer than 100 units, where percentiles of robust fits hold the truth too often, else percentile
    /// (bench/analysis/interval_coverage).
    std::optional<IntervalKind> interval{};
    double level = 0.95;  ///< share of the intervals that should hold the truth
};

/// Refits of resampled data.
struct Resamples {
    int requested = 0;
    int degenerate = 0;            ///< resamples that could not identify the law: too few distinct points or values
    std::vector<Values> natural;   ///< the reported parameters of every other one, in order of the resample
    std::vector<Values> left_out;  ///< the same of the points without each unit in turn; for BCa intervals alone
    std::size_t units = 0;         ///< points or groups of them that were drawn
    double degrees = 0;            ///< of freedom: points less free parameters, or groups less one if that is fewer
    BootstrapKind kind = BootstrapKind::cases;
    IntervalKind interval = IntervalKind::percentile;
    double level = 0.95;

    /// The estimate of a number that is `value` at the optimum, `samples` over `natural` and `jackknife` over
    /// `left_out`.
    Estimate estimate(double value, std::vector<double> samples, const std::vector<double>& jackknife) const;
};

/// Refits `options.resamples` resamples (see Resampler), from the optimum and from the other endings of the search
/// where there are any. The draws depend on the seed and the resample's number alone, so the result is the same on any
/// number of threads. Throws InputError for kinds that the points do not allow.
Resamples bootstrap(const Law& law, const Points& points, const Objective& objective, const Optimum& optimum,
                    const BootstrapOptions& options);

}  // namespace loglog
