#include "analysis/inference/refit.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace loglog {
namespace {

constexpr std::size_t grid_sample = 24;

/// Why the weighted points cannot hold the law, or nothing.
std::string obstacle(const Law& law, const Points& points, std::size_t count) {
    const auto needed = free_parameters(law);
    if (count < needed) {
        return std::to_string(count) + " points are fewer than the " + std::to_string(needed) + " parameters";
    }
    const bool all_free = needed == law.parameters().size();
    for (std::size_t variable = 0; all_free && variable < law.varying(); ++variable) {
        double low = std::numeric_limits<double>::infinity();
        double high = -low;
        for (std::size_t i = 0; i < points.size(); ++i) {
            if (points.weight[i] == 0) { continue; }
            low = std::min(low, points.ln_x[i][variable]);
            high = std::max(high, points.ln_x[i][variable]);
        }
        if (high - low < 1e-9) { return "only one value of " + std::string{law.variables()[variable]} + " is left"; }
    }
    return {};
}

/// Coordinates found for other points, as a start for these.
Values moved(Values coordinates, const Points& points) {
    std::copy(points.centre.begin(), points.centre.end(), coordinates.begin() + max_parameters);
    return coordinates;
}

}  // namespace

Points without(const Points& points, const std::vector<std::size_t>& left_out) {
    Points rest = points;
    for (const std::size_t i : left_out) { rest.weight[i] = 0; }
    return rest;
}

std::vector<Values> endings(const Optimum& optimum) {
    std::vector<Values> result{optimum.best.coordinates};
    result.insert(result.end(), optimum.also_tried.begin(), optimum.also_tried.end());
    return result;
}

Refit refit(std::string choice, const Law& law, const Points& points, const Objective& objective,
            std::span<const Values> near) {
    Refit result;
    result.choice = std::move(choice);
    result.n_points =
        points.size() - static_cast<std::size_t>(std::count(points.weight.begin(), points.weight.end(), 0.0));
    result.failure = obstacle(law, points, result.n_points);
    if (!result.failure.empty()) { return result; }

    Minimum best;
    best.value = std::numeric_limits<double>::infinity();
    const auto consider = [&](const Minimum& other) {
        if (other.value < best.value) { best = other; }
    };
    for (const Values& start : near) { consider(descend(law, points, objective, moved(start, points))); }
    const auto grid = law.starts(points);
    const std::size_t stride = std::max<std::size_t>(1, grid.size() / grid_sample);
    for (std::size_t i = stride / 2; i < grid.size(); i += stride) {
        consider(descend(law, points, objective, grid[i]));
    }
    if (!std::isfinite(best.value)) {
        result.failure = "no start reached a finite objective";
        return result;
    }
    result.value = best.value;
    result.coordinates = best.coordinates;
    const Values natural = law.natural(best.coordinates, points.centre);
    for (std::size_t k = 0; k < law.parameters().size(); ++k) {
        result.parameters.emplace_back(law.parameters()[k].name, natural[k]);
    }
    for (const auto& [name, value] : law.derived(natural)) { result.derived.emplace_back(name, value); }
    return result;
}

double value_of(const Refit& refit, std::string_view name) {
    for (const auto* family : {&refit.parameters, &refit.derived}) {
        for (const auto& [known, value] : *family) {
            if (known == name) { return value; }
        }
    }
    return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace loglog
