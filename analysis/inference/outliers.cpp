#include "analysis/inference/outliers.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>

namespace loglog {
namespace {

constexpr double deviation_of_median = 1.482602218505602;  // 1 / the normal distribution's upper quartile
constexpr double efficiency = 0.37;                        // of that estimate, for normal residuals
constexpr double false_alarms = 0.01;
constexpr std::size_t fewest = 3;
constexpr double rounding = 1e-9;  // relative residuals below it are arithmetic, not noise

}  // namespace

std::string name_of(const std::vector<std::string>& ids, std::size_t point) {
    return point < ids.size() ? ids[point] : "point " + std::to_string(point + 1);
}

std::vector<double> residuals_of(const Law& law, const Points& points, const Objective& objective,
                                 const Values& coordinates) {
    std::vector<double> residuals(points.size());
    for (std::size_t i = 0; i < points.size(); ++i) {
        if (points.weight[i] == 0) { continue; }
        const double ln_predicted = law.log_loss(coordinates, points.ln_x[i]);
        residuals[i] = objective.residual == Objective::Residual::log ? ln_predicted - points.ln_loss[i]
                                                                      : std::exp(ln_predicted) - points.loss[i];
    }
    return residuals;
}

double robust_deviation(const std::vector<double>& residuals, const Points& points, std::size_t parameters) {
    std::vector<double> sizes;
    for (std::size_t i = 0; i < residuals.size(); ++i) {
        if (points.weight[i] > 0) { sizes.push_back(std::abs(residuals[i])); }
    }
    if (sizes.size() < parameters + fewest) { return std::numeric_limits<double>::quiet_NaN(); }
    std::sort(sizes.begin(), sizes.end());
    const std::size_t left = sizes.size() - parameters;
    const auto upper = sizes.begin() + static_cast<std::ptrdiff_t>(parameters + left / 2);
    const double median = left % 2 == 1 ? *upper : (*upper + *std::prev(upper)) / 2;
    return deviation_of_median * median;
}

double outlier_threshold(std::size_t points, std::size_t parameters) {
    if (points < parameters + fewest) { return std::numeric_limits<double>::infinity(); }
    const double degrees = efficiency * static_cast<double>(points - parameters);
    const boost::math::students_t distribution{degrees};
    return quantile(complement(distribution, false_alarms / 2 / static_cast<double>(points)));
}

std::vector<Outlier> find_outliers(const Law& law, const Points& points, const Objective& objective,
                                   const Values& coordinates, const std::vector<std::string>& ids) {
    const auto residuals = residuals_of(law, points, objective, coordinates);
    const std::size_t parameters = free_parameters(law);
    const double deviation = std::max(robust_deviation(residuals, points, parameters), rounding);
    const double threshold = outlier_threshold(points.size(), parameters);
    std::vector<Outlier> outliers;
    for (std::size_t i = 0; i < residuals.size(); ++i) {
        const double z = residuals[i] / deviation;
        if (std::abs(z) > threshold) { outliers.push_back({i, name_of(ids, i), residuals[i], z}); }
    }
    std::stable_sort(outliers.begin(), outliers.end(),
                     [](const Outlier& left, const Outlier& right) { return std::abs(left.z) > std::abs(right.z); });
    return outliers;
}

}  // namespace loglog
