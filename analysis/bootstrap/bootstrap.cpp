#include "analysis/bootstrap/bootstrap.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "analysis/fit/parallel.hpp"

namespace loglog {
namespace {

/// Draws the resample into `points.weight`; returns how many distinct points it holds.
std::size_t draw(Points& points, Seed seed, int resample) {
    const Random random{seed, Stream::resampling, static_cast<std::uint64_t>(resample)};
    const auto n = points.size();
    std::fill(points.weight.begin(), points.weight.end(), 0.0);
    for (std::size_t i = 0; i < n; ++i) { points.weight[random.below(i, n)] += 1; }
    return n - static_cast<std::size_t>(std::count(points.weight.begin(), points.weight.end(), 0.0));
}

Values refit(const Law& law, const Points& points, const Objective& objective, const Optimum& optimum) {
    Minimum best = polish(law, points, objective, optimum.best.coordinates);
    const auto consider = [&](const Minimum& other) {
        if (other.value < best.value) { best = other; }
    };
    if (!best.converged) { consider(descend(law, points, objective, optimum.best.coordinates)); }
    for (const Values& start : optimum.also_tried) { consider(polish(law, points, objective, start)); }
    return law.natural(best.coordinates, points.centre);
}

double quantile(const std::vector<double>& sorted, double share) {
    const double position = share * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(position);
    const auto above = std::min(below + 1, sorted.size() - 1);
    if (sorted[below] == sorted[above]) { return sorted[below]; }  // also where both are infinite
    return sorted[below] + (position - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

Resamples bootstrap(const Law& law, const Points& points, const Objective& objective, const Optimum& optimum,
                    const BootstrapOptions& options) {
    std::vector<std::optional<Values>> fits(static_cast<std::size_t>(std::max(options.resamples, 0)));
    const int block = 16;  // resamples that share one copy of the points
    const int blocks = (options.resamples + block - 1) / block;
    parallel_for(blocks, options.threads, [&](int b) {
        Points resampled = points;
        for (int i = b * block; i < std::min((b + 1) * block, options.resamples); ++i) {
            if (draw(resampled, options.seed, i) < law.parameters().size()) { continue; }
            fits[static_cast<std::size_t>(i)] = refit(law, resampled, objective, optimum);
        }
    });
    Resamples resamples;
    resamples.requested = options.resamples;
    for (const auto& fit : fits) {
        if (fit) {
            resamples.natural.push_back(*fit);
        } else {
            ++resamples.degenerate;
        }
    }
    return resamples;
}

Estimate summarise(double value, std::vector<double> samples, double coverage) {
    std::erase_if(samples, [](double sample) { return std::isnan(sample); });
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    if (samples.size() < 2) { return {value, nan, nan, nan}; }
    std::sort(samples.begin(), samples.end());
    double mean = 0;
    for (const double sample : samples) { mean += sample / static_cast<double>(samples.size()); }
    double squares = 0;
    for (const double sample : samples) { squares += (sample - mean) * (sample - mean); }
    const double tail = (1 - coverage) / 2;
    return {value, std::sqrt(squares / static_cast<double>(samples.size() - 1)), quantile(samples, tail),
            quantile(samples, 1 - tail)};
}

}  // namespace loglog
