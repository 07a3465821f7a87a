#include "analysis/bootstrap/noise.hpp"

#include <algorithm>
#include <cmath>

namespace loglog {
namespace {

constexpr double normal_per_median = 1.482602218505602;  // 1 / the upper quartile of the standard normal

double root_mean_square(const std::vector<double>& residuals, double degrees) {
    double squares = 0;
    for (const double r : residuals) { squares += r * r; }
    return std::sqrt(squares / degrees);
}

double scaled_median(const std::vector<double>& residuals, std::size_t fitted_exactly) {
    std::vector<double> sizes;
    for (const double r : residuals) { sizes.push_back(std::abs(r)); }
    std::sort(sizes.begin(), sizes.end());
    sizes.erase(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(fitted_exactly));
    const std::size_t middle = sizes.size() / 2;
    const double median = sizes.size() % 2 == 1 ? sizes[middle] : (sizes[middle - 1] + sizes[middle]) / 2;
    return normal_per_median * median;
}

}  // namespace

std::size_t free_parameters(const Law& law, const Values& coordinates) {
    std::size_t free = 0;
    const auto specs = law.parameters();
    for (std::size_t k = 0; k < specs.size(); ++k) {
        if (specs[k].is_free() && coordinates[k] > specs[k].lower && coordinates[k] < specs[k].upper) { ++free; }
    }
    return free;
}

Noise noise_of(const Law& law, const Points& points, const Objective& objective, const Values& coordinates) {
    Noise noise;
    for (std::size_t i = 0; i < points.size(); ++i) {
        const double ln_predicted = law.log_loss(coordinates, points.ln_x[i]);
        const double residual = objective.residual == Objective::Residual::log
                                    ? points.ln_loss[i] - ln_predicted
                                    : points.loss[i] - std::exp(ln_predicted);
        noise.residuals.push_back(residual * std::sqrt(points.weight[i]));
    }
    const std::size_t free = free_parameters(law, coordinates);
    if (points.size() <= free) { return noise; }  // nothing is left to tell the noise from
    noise.degrees = static_cast<double>(points.size() - free);
    noise.scale = objective.penalty == Objective::Penalty::squares ? root_mean_square(noise.residuals, noise.degrees)
                                                                   : scaled_median(noise.residuals, free);
    return noise;
}

}  // namespace loglog
