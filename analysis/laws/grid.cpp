#include "analysis/laws/grid.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace loglog {

double smallest_loss(const Points& points) {
    double smallest = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < points.size(); ++i) {
        if (points.weight[i] > 0) { smallest = std::min(smallest, points.loss[i]); }
    }
    return smallest;
}

double largest_loss(const Points& points) {
    double largest = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
        if (points.weight[i] > 0) { largest = std::max(largest, points.loss[i]); }
    }
    return largest;
}

std::pair<double, double> range_of(const Points& points, std::size_t variable) {
    const auto [low, high] = std::minmax_element(
        points.ln_x.begin(), points.ln_x.end(),
        [variable](const auto& left, const auto& right) { return left[variable] < right[variable]; });
    return {(*low)[variable], (*high)[variable]};
}

double typical_loss(const Points& points) {
    double sum = 0;
    double weight = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
        sum += points.weight[i] * std::log(points.loss[i]);
        weight += points.weight[i];
    }
    return std::exp(sum / weight);
}

}  // namespace loglog
