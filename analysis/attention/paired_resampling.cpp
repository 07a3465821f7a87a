#include "analysis/attention/paired_resampling.hpp"

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <cmath>
#include <limits>
#include <optional>

#include "analysis/fit/parallel.hpp"
#include "engine/base/error.hpp"
#include "engine/base/random.hpp"

namespace loglog {
namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();
constexpr double least_degrees = 0.999;

/// measured - fitted by [row][variant], each variant's centred; NaN where it has no run.
using Residuals = std::vector<std::vector<double>>;

Residuals residuals_of(const std::vector<LossPoint>& points, int rows, const FamilyFit& fit) {
    const std::size_t variants = fit.laws.size();
    Residuals residuals(static_cast<std::size_t>(rows), std::vector<double>(variants, missing));
    std::vector<double> sum(variants, 0), count(variants, 0);
    for (const auto& point : points) {
        const double fitted = fit.predict(point.variant, point.ln_cost);
        const double r = fit.residual == Objective::Residual::log ? std::log(point.loss / fitted) : point.loss - fitted;
        const auto v = static_cast<std::size_t>(point.variant);
        residuals[static_cast<std::size_t>(point.row)][v] = r;
        sum[v] += r;
        count[v] += 1;
    }
    for (auto& row : residuals) {
        for (std::size_t v = 0; v < variants; ++v) { row[v] -= sum[v] / count[v]; }
    }
    return residuals;
}

/// The drawn row's residual of a variant, or that of the next row in which it has one.
double residual_of(const Residuals& residuals, std::size_t row, std::size_t variant) {
    for (std::size_t step = 0; step < residuals.size(); ++step) {
        const double r = residuals[(row + step) % residuals.size()][variant];
        if (!std::isnan(r)) { return r; }
    }
    return 0;
}

/// Rows that a variant has on average: with gaps, fewer than there are.
double mean_rows(const std::vector<LossPoint>& points, std::size_t variants) {
    return static_cast<double>(points.size()) / static_cast<double>(variants);
}

class PairedResampler {
  public:
    PairedResampler(const std::vector<LossPoint>& points, int rows, const FamilyFit& fit, double degrees, Seed seed)
        : points_{points},
          fit_{fit},
          residuals_{residuals_of(points, rows, fit)},
          degrees_{degrees},
          inflation_{std::sqrt(mean_rows(points, fit.laws.size()) / degrees)},
          seed_{seed} {}

    std::optional<FamilyFit> refit(int resample) const {
        const Random random{seed_, Stream::resampling, static_cast<std::uint64_t>(resample)};
        const std::size_t rows = residuals_.size();
        const boost::math::chi_squared spread{degrees_};
        const double uniform = std::clamp(random.uniform(rows), 1e-12, 1 - 1e-12);
        const double scale = inflation_ * std::sqrt(degrees_ / boost::math::quantile(spread, uniform));
        std::vector<std::size_t> drawn(rows);
        for (std::size_t row = 0; row < rows; ++row) { drawn[row] = random.below(row, rows); }

        std::vector<LossPoint> resampled = points_;
        for (auto& point : resampled) {
            const auto row = drawn[static_cast<std::size_t>(point.row)];
            const double noise = scale * residual_of(residuals_, row, static_cast<std::size_t>(point.variant));
            const double fitted = fit_.predict(point.variant, point.ln_cost);
            point.loss = fit_.residual == Objective::Residual::log ? fitted * std::exp(noise) : fitted + noise;
            if (!(point.loss > 0) || !std::isfinite(point.loss)) { return std::nullopt; }
        }
        return fit_family(resampled, static_cast<int>(fit_.laws.size()), fit_.sharing, fit_.residual, &fit_);
    }

  private:
    const std::vector<LossPoint>& points_;
    const FamilyFit& fit_;
    Residuals residuals_;
    double degrees_;
    double inflation_;
    Seed seed_;
};

}  // namespace

FamilyResamples resample_rows(const std::vector<LossPoint>& points, int rows, const FamilyFit& fit,
                              const BootstrapOptions& options) {
    FamilyResamples resamples;
    resamples.requested = std::max(options.resamples, 0);
    const double variants = static_cast<double>(fit.laws.size());
    const double parameters = parameter_count(fit.sharing, static_cast<int>(fit.laws.size()));
    resamples.degrees = mean_rows(points, fit.laws.size()) - parameters / variants;
    if (resamples.degrees < least_degrees) { return resamples; }

    const PairedResampler resampler{points, rows, fit, resamples.degrees, options.seed};
    std::vector<std::optional<FamilyFit>> fits(static_cast<std::size_t>(resamples.requested));
    parallel_for(resamples.requested, options.threads,
                 [&](int i) { fits[static_cast<std::size_t>(i)] = resampler.refit(i); });
    for (auto& refitted : fits) {
        if (refitted) { resamples.fits.push_back(std::move(*refitted)); }
    }
    return resamples;
}

}  // namespace loglog
