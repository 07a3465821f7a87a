#include "analysis/attention/multiplier.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace loglog {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double reach = 0.6931471805599453;  // ln 2

bool lies_outside(const std::vector<LossPoint>& points, int variant, std::optional<double> ln_cost) {
    if (!ln_cost) { return true; }
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (const auto& point : points) {
        if (point.variant != variant) { continue; }
        low = std::min(low, point.ln_cost);
        high = std::max(high, point.ln_cost);
    }
    return *ln_cost < low - reach || *ln_cost > high + reach;
}

/// `evaluate` at the fit, with the interval of its values over the resamples.
template <class Evaluate>
Estimate over_resamples(const FamilyFit& fit, const FamilyResamples& resamples, const Evaluate& evaluate) {
    std::vector<double> samples;
    for (const auto& resample : resamples.fits) { samples.push_back(evaluate(resample)); }
    return summarise(evaluate(fit), std::move(samples));
}

double exponent_of(const FamilyFit& fit, int variant) { return fit.laws[static_cast<std::size_t>(variant)].exponent; }

}  // namespace

std::optional<double> cost_multiplier(const FamilyFit& fit, int baseline, int variant, double loss) {
    const auto needed_by_baseline = fit.ln_cost_of(baseline, loss);
    const auto needed = fit.ln_cost_of(variant, loss);
    if (!needed_by_baseline || !needed) { return std::nullopt; }
    return std::exp(*needed_by_baseline - *needed);
}

Multiplier multiplier(const std::vector<LossPoint>& points, const FamilyFit& fit, const FamilyResamples& resamples,
                      int baseline, int variant, double loss) {
    Multiplier result;
    result.loss = loss;
    result.estimate = over_resamples(
        fit, resamples, [&](const FamilyFit& f) { return cost_multiplier(f, baseline, variant, loss).value_or(nan); });
    result.extrapolated = lies_outside(points, baseline, fit.ln_cost_of(baseline, loss)) ||
                          lies_outside(points, variant, fit.ln_cost_of(variant, loss));
    return result;
}

Estimate exponent(const FamilyFit& fit, const FamilyResamples& resamples, int variant) {
    return over_resamples(fit, resamples, [&](const FamilyFit& f) { return exponent_of(f, variant); });
}

Estimate exponent_difference(const FamilyFit& fit, const FamilyResamples& resamples, int baseline, int variant) {
    return over_resamples(fit, resamples,
                          [&](const FamilyFit& f) { return exponent_of(f, variant) - exponent_of(f, baseline); });
}

}  // namespace loglog
