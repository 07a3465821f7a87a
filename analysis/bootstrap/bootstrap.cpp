#include "analysis/bootstrap/bootstrap.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "analysis/fit/parallel.hpp"

namespace loglog {
namespace {

constexpr std::size_t few_units = 100;

class Refits {
  public:
    Refits(const Law& law, const Points& points, const Objective& objective, const Optimum& optimum)
        : law_{law}, points_{points}, objective_{objective}, optimum_{optimum} {}

    /// Fits of `count` sets of points, of which make(points, i) makes one and says whether it can be fitted.
    template <class Make>
    std::vector<std::optional<Values>> of(int count, int threads, const Make& make) const {
        std::vector<std::optional<Values>> fits(static_cast<std::size_t>(count));
        const int block = 16;  // sets that share one copy of the points
        parallel_for((count + block - 1) / block, threads, [&](int b) {
            Points made = points_;
            for (int i = b * block; i < std::min((b + 1) * block, count); ++i) {
                if (make(made, i)) { fits[static_cast<std::size_t>(i)] = refit(made); }
            }
        });
        return fits;
    }

  private:
    Values refit(const Points& made) const {
        Minimum best = polish(law_, made, objective_, optimum_.best.coordinates);
        const auto consider = [&](const Minimum& other) {
            if (other.value < best.value) { best = other; }
        };
        if (!best.converged) { consider(descend(law_, made, objective_, optimum_.best.coordinates)); }
        for (const Values& start : optimum_.also_tried) { consider(polish(law_, made, objective_, start)); }
        return law_.natural(best.coordinates, points_.centre);
    }

    const Law& law_;
    const Points& points_;
    const Objective& objective_;
    const Optimum& optimum_;
};

std::vector<Values> those_fitted(const std::vector<std::optional<Values>>& fits) {
    std::vector<Values> fitted;
    for (const auto& fit : fits) {
        if (fit) { fitted.push_back(*fit); }
    }
    return fitted;
}

}  // namespace

Resamples bootstrap(const Law& law, const Points& points, const Objective& objective, const Optimum& optimum,
                    const BootstrapOptions& options) {
    const Resampler resampler{law, points, objective, optimum.best.coordinates, options.kind, options.seed};
    const Refits refits{law, points, objective, optimum};
    Resamples resamples;
    resamples.requested = std::max(options.resamples, 0);
    resamples.kind = options.kind;
    resamples.interval =
        options.interval.value_or(resampler.units() < few_units ? IntervalKind::bca : IntervalKind::percentile);
    resamples.level = options.level;
    resamples.units = resampler.units();
    resamples.degrees =
        static_cast<double>(points.size()) - static_cast<double>(free_parameters(law, optimum.best.coordinates));
    if (!points.group.empty()) {
        resamples.degrees = std::min(resamples.degrees, static_cast<double>(resamples.units) - 1);
    }
    resamples.natural = those_fitted(
        refits.of(resamples.requested, options.threads, [&](Points& made, int i) { return resampler.draw(made, i); }));
    resamples.degenerate = resamples.requested - static_cast<int>(resamples.natural.size());
    if (resamples.interval == IntervalKind::bca && resamples.requested > 0) {
        const auto leave_out = [&](Points& made, int i) {
            return resampler.leave_out(made, static_cast<std::size_t>(i));
        };
        resamples.left_out = those_fitted(refits.of(static_cast<int>(resampler.units()), options.threads, leave_out));
    }
    return resamples;
}

Estimate Resamples::estimate(double value, std::vector<double> samples, const std::vector<double>& jackknife) const {
    switch (interval) {
        case IntervalKind::percentile:
            return summarise(value, std::move(samples), percentile_tails(level));
        case IntervalKind::expanded: {
            // Drawn losses have the noise at its unbiased scale already.
            const double drawn = kind == BootstrapKind::cases ? static_cast<double>(units) : degrees;
            return summarise(value, std::move(samples), expanded_tails(level, drawn, degrees));
        }
        case IntervalKind::bca: {
            const Tails tails = bca_tails(level, value, samples, jackknife);
            return summarise(value, std::move(samples), tails);
        }
    }
    return summarise(value, std::move(samples), level);
}

}  // namespace loglog
