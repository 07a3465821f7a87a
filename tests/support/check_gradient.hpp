#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <span>
#include <string>

namespace loglog::testing {

struct GradientReport {
    bool agrees = true;
    double worst_error = 0;  ///< |analytic - numeric| / max(|analytic|, |numeric|, floor)
    std::string worst;       ///< "x[7]: analytic 0.4412, numeric 0.4410, relative 3.1e-04"
};

struct GradientTolerance {
    double relative = 1e-6;  ///< differences err by h^4 / 30 times the fifth derivative and a few eps / h
    double floor = 1e-2;     ///< gradients smaller than this times the largest are judged by that size: rounding of the
                             ///< loss makes their differences meaningless
    double least = 1e-12;    ///< the same for all gradients below this
};

/// Compares `analytic`, the gradient of `loss` with respect to `x`, with central differences over four points, of step
/// h = 4 cbrt(epsilon) * max(1, |x|): (8 (f(x + h) - f(x - h)) - (f(x + 2h) - f(x - 2h))) / 12h. `loss` is called with
/// x changed in place.
inline GradientReport check_gradient(const std::function<double()>& loss, std::span<double> x,
                                     std::span<const double> analytic, GradientTolerance tolerance = {}) {
    double largest = 0;
    for (const double g : analytic) { largest = std::max(largest, std::abs(g)); }
    GradientReport report;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double original = x[i];
        const double step = 4 * std::cbrt(std::numeric_limits<double>::epsilon()) * std::max(1.0, std::abs(original));
        const auto slope_over = [&](double distance) {
            x[i] = original + distance;
            const double up = x[i] - original;
            const double above = loss();
            x[i] = original - distance;
            const double down = original - x[i];
            const double below = loss();
            x[i] = original;
            return (above - below) / (up + down);
        };
        const double near = slope_over(step);
        const double numeric = near + (near - slope_over(2 * step)) / 3;
        const double size =
            std::max({std::abs(numeric), std::abs(analytic[i]), tolerance.floor * largest, tolerance.least});
        const double error = std::abs(numeric - analytic[i]) / size;
        if (error > report.worst_error || !std::isfinite(error)) {
            report.worst_error = error;
            char text[160];
            std::snprintf(text, sizeof text, "x[%zu]: analytic %.10g, numeric %.10g, relative %.1e", i, analytic[i],
                          numeric, error);
            report.worst = text;
        }
        if (!(error <= tolerance.relative)) { report.agrees = false; }
    }
    return report;
}

}  // namespace loglog::testing
