#include "analysis/bootstrap/interval.hpp"

#include <algorithm>
#include <array>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr std::array<std::pair<std::string_view, IntervalKind>, 3> kinds{
    {{"percentile", IntervalKind::percentile}, {"expanded", IntervalKind::expanded}, {"bca", IntervalKind::bca}}};

double normal_share(double quantile) { return boost::math::cdf(boost::math::normal{}, quantile); }
double normal_quantile(double share) { return boost::math::quantile(boost::math::normal{}, share); }

double quantile(const std::vector<double>& sorted, double share) {
    const double position = share * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(position);
    const auto above = std::min(below + 1, sorted.size() - 1);
    if (sorted[below] == sorted[above]) { return sorted[below]; }  // also where both are infinite
    return sorted[below] + (position - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

void leave_out_unknown(std::vector<double>& values) {
    std::erase_if(values, [](double value) { return std::isnan(value); });
}

double mean_of(const std::vector<double>& values) {
    double mean = 0;
    for (const double value : values) { mean += value / static_cast<double>(values.size()); }
    return mean;
}

/// The largest distance from `mean`: sums of powers are taken of shares of it, which neither overflow nor vanish.
double largest_deviation(const std::vector<double>& values, double mean) {
    double largest = 0;
    for (const double value : values) { largest = std::max(largest, std::abs(value - mean)); }
    return largest;
}

/// Efron 1987, eq. 6.6: a sixth of the skewness of the jackknife's influence values.
double acceleration(const std::vector<double>& left_out) {
    const double mean = mean_of(left_out);
    const double scale = largest_deviation(left_out, mean);
    if (scale == 0) { return 0; }
    double squares = 0;
    double cubes = 0;
    for (const double value : left_out) {
        const double influence = (mean - value) / scale;
        squares += influence * influence;
        cubes += influence * influence * influence;
    }
    return squares > 0 ? cubes / (6 * std::pow(squares, 1.5)) : 0.0;
}

/// Share of the samples below `value`, half of those equal to it.
double share_below(double value, const std::vector<double>& samples) {
    double below = 0;
    for (const double sample : samples) { below += sample < value ? 1.0 : sample == value ? 0.5 : 0.0; }
    return below / static_cast<double>(samples.size());
}

}  // namespace

IntervalKind parse_interval_kind(std::string_view text) {
    for (const auto& [name, kind] : kinds) {
        if (name == text) { return kind; }
    }
    throw InputError{"--interval '" + std::string{text} + "' must be percentile, expanded or bca"};
}

const char* to_text(IntervalKind kind) noexcept {
    for (const auto& [name, known] : kinds) {
        if (known == kind) { return name.data(); }
    }
    return "percentile";
}

Tails percentile_tails(double level) { return {(1 - level) / 2, (1 + level) / 2}; }

Tails expanded_tails(double level, double units, double degrees) {
    if (!(degrees >= 1)) { return {0, 1}; }  // nothing is known of the noise: all that was seen
    const boost::math::students_t student{degrees};
    const double t = boost::math::quantile(student, (1 + level) / 2);
    const double tail = normal_share(-std::sqrt(units / degrees) * t);
    return {tail, 1 - tail};
}

Tails bca_tails(double level, double value, const std::vector<double>& samples, const std::vector<double>& left_out) {
    std::vector<double> known = samples;
    std::vector<double> jackknife = left_out;
    leave_out_unknown(known);
    leave_out_unknown(jackknife);
    std::erase_if(jackknife, [](double one) { return std::isinf(one); });
    const double below = known.empty() ? 0 : share_below(value, known);
    if (!(below > 0 && below < 1) || jackknife.size() < 2) { return percentile_tails(level); }
    const double bias = normal_quantile(below);
    const double a = acceleration(jackknife);
    if (!std::isfinite(a)) { return percentile_tails(level); }
    const auto tail = [&](double share) {
        const double z = bias + normal_quantile(share);
        if (a * z < 1) { return normal_share(bias + z / (1 - a * z)); }
        return z > 0 ? 1.0 : 0.0;  // the limits as a z comes up to 1
    };
    return {tail((1 - level) / 2), tail((1 + level) / 2)};
}

Estimate summarise(double value, std::vector<double> samples, const Tails& tails) {
    leave_out_unknown(samples);
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    if (samples.size() < 2) { return {value, nan, nan, nan}; }
    std::sort(samples.begin(), samples.end());
    const double mean = mean_of(samples);
    const double scale = largest_deviation(samples, mean);
    double squares = 0;
    for (const double sample : samples) { squares += std::pow((sample - mean) / scale, 2); }
    double se = scale > 0 ? scale * std::sqrt(squares / static_cast<double>(samples.size() - 1)) : 0.0;
    if (!std::isfinite(mean)) { se = nan; }
    return {value, se, quantile(samples, tails.low), quantile(samples, tails.high)};
}

Estimate summarise(double value, std::vector<double> samples, double coverage) {
    return summarise(value, std::move(samples), percentile_tails(coverage));
}

}  // namespace loglog
