#include "analysis/inference/robust_scale.hpp"

#include <algorithm>
#include <cmath>

namespace loglog {
namespace {

double share_below(double z) { return std::erfc(-z / std::sqrt(2.0)) / 2; }

double interquartile_range(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const auto at = [&](double share) {
        return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1) + 0.5)];
    };
    return at(0.75) - at(0.25);
}

}  // namespace

RobustScale robust_scale(const Noise& noise, double threshold) {
    const auto n = static_cast<double>(noise.residuals.size());
    const double inflation = std::sqrt(n / noise.degrees);
    double squares = 0;
    for (const double r : noise.residuals) { squares += r * r; }
    const double deviation = std::sqrt(squares / noise.degrees);
    if (!std::isfinite(threshold)) { return {1, deviation * deviation}; }

    const double spread = std::min(deviation, inflation * interquartile_range(noise.residuals) / 1.34);
    const double bandwidth = 0.9 * (spread > 0 ? spread : deviation) * std::pow(n, -0.2);
    RobustScale scale{0, 0};
    for (const double residual : noise.residuals) {
        const double r = inflation * residual;
        const double psi = std::clamp(r, -threshold, threshold);
        scale.variance += psi * psi / n;
        scale.curvature += (share_below((threshold - r) / bandwidth) - share_below((-threshold - r) / bandwidth)) / n;
    }
    return scale;
}

}  // namespace loglog
