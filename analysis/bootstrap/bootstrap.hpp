#pragma once

#include <vector>

#include "analysis/fit/optimum.hpp"
#include "engine/base/random.hpp"

namespace loglog {

struct BootstrapOptions {
    int resamples = 1000;
    Seed seed{1};
    int threads = 1;
};

/// Refits of resampled data.
struct Resamples {
    int requested = 0;
    int degenerate = 0;           ///< resamples that held fewer distinct points than the law has parameters
    std::vector<Values> natural;  ///< the reported parameters of every other one, in order of the resample
};

/// Case resampling (Efron 1979): every resample draws points.size() points with replacement and is refitted from the
/// optimum, and from the other endings of the search where there are any. The draws depend on the seed and the
/// resample's number alone, so the result is the same on any number of threads.
Resamples bootstrap(const Law& law, const Points& points, const Objective& objective, const Optimum& optimum,
                    const BootstrapOptions& options);

/// A number with its standard error and 95% percentile interval; the last three are NaN where nothing was resampled.
struct Estimate {
    double value;
    double se;
    double low;
    double high;
};

/// `samples` are the number's values over the resamples. Quantiles interpolate linearly between order statistics.
Estimate summarise(double value, std::vector<double> samples, double coverage = 0.95);

}  // namespace loglog
