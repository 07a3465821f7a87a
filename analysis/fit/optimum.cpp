#include "analysis/fit/optimum.hpp"

#include <algorithm>
#include <cmath>

#include "analysis/fit/parallel.hpp"
#include "engine/base/error.hpp"
#include "engine/base/permutation.hpp"

namespace loglog {
namespace {

constexpr double agreement = 1e-4;
constexpr std::size_t alternatives = 2;
constexpr std::size_t most_points_searched = 256;

void check_identifiable(const Law& law, const Points& points) {
    const auto needed = free_parameters(law);
    const bool all_free = needed == law.parameters().size();
    if (points.size() < needed) {
        throw InputError{"the law '" + std::string{law.name()} + "' has " + std::to_string(needed) +
                         (all_free ? "" : " free") + " parameters but only " + std::to_string(points.size()) +
                         " points are left to fit: add runs, or choose a law with fewer parameters"};
    }
    // With parameters held, one value of a variable may be enough: the condition number tells then.
    for (std::size_t variable = 0; all_free && variable < law.varying(); ++variable) {
        const auto [low, high] = std::minmax_element(
            points.ln_x.begin(), points.ln_x.end(),
            [variable](const auto& left, const auto& right) { return left[variable] < right[variable]; });
        if ((*high)[variable] - (*low)[variable] < 1e-9) {
            throw InputError{"all points have the same " + std::string{law.variables()[variable]} + " (" +
                             std::to_string(points.x(0, variable)) + "): the law '" + std::string{law.name()} +
                             "' cannot be identified from one value; add runs that vary it"};
        }
    }
}

/// A random subset of large data, in which the search is run before every ending is polished on all of them.
Points sample(const Points& points) {
    if (points.size() <= most_points_searched) { return points; }
    const KeyedPermutation shuffled{points.size(), Seed{1}, Stream::search, 0};
    Points subset;
    subset.variables = points.variables;
    subset.centre = points.centre;
    for (std::uint64_t i = 0; i < most_points_searched; ++i) {
        const auto row = static_cast<std::size_t>(shuffled(i));
        subset.ln_x.push_back(points.ln_x[row]);
        subset.loss.push_back(points.loss[row]);
        subset.ln_loss.push_back(points.ln_loss[row]);
        subset.weight.push_back(points.weight[row]);
    }
    return subset;
}

}  // namespace

Optimum find_optimum(const Law& law, const Points& points, const Objective& objective, int threads) {
    check_identifiable(law, points);
    const auto starts = law.starts(points);
    const Points searched = sample(points);
    const bool all = searched.size() == points.size();
    std::vector<Minimum> ends(starts.size());
    parallel_for(static_cast<int>(starts.size()), threads, [&](int i) {
        const Minimum end = descend(law, searched, objective, starts[i]);
        ends[i] = all ? end : polish(law, points, objective, end.coordinates);
    });
    std::erase_if(ends, [](const Minimum& end) { return !std::isfinite(end.value); });
    if (ends.empty()) {
        throw Error{"fit: none of the " + std::to_string(starts.size()) + " starts reached a finite objective"};
    }
    std::stable_sort(ends.begin(), ends.end(),
                     [](const auto& left, const auto& right) { return left.value < right.value; });

    Optimum optimum;
    optimum.best = ends.front();
    optimum.starts = static_cast<int>(starts.size());
    // Noise-free data end at rounding: objectives below residuals of 1e-12 are the same optimum.
    const double rounding = 1e-24 * static_cast<double>(points.size());
    const auto agrees = [&](double value, double best) { return value <= best + agreement * best + rounding; };
    double last = ends.front().value;
    for (const Minimum& end : ends) {
        if (agrees(end.value, optimum.best.value)) { ++optimum.agreeing; }
        if (!agrees(end.value, last) && optimum.also_tried.size() < alternatives) {
            optimum.also_tried.push_back(end.coordinates);
            last = end.value;
        }
    }
    return optimum;
}

}  // namespace loglog
