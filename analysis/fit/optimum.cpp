#include "analysis/fit/optimum.hpp"

#include <algorithm>
#include <cmath>

#include "analysis/fit/parallel.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr double agreement = 1e-4;
constexpr std::size_t alternatives = 2;

void check_identifiable(const Law& law, const Points& points) {
    const auto needed = law.parameters().size();
    if (points.size() < needed) {
        throw InputError{"the law '" + std::string{law.name()} + "' has " + std::to_string(needed) +
                         " parameters but only " + std::to_string(points.size()) +
                         " points are left to fit: add runs, or choose a law with fewer parameters"};
    }
    for (std::size_t variable = 0; variable < points.variables; ++variable) {
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

}  // namespace

Optimum find_optimum(const Law& law, const Points& points, const Objective& objective, int threads) {
    check_identifiable(law, points);
    const auto starts = law.starts(points);
    std::vector<Minimum> ends(starts.size());
    parallel_for(static_cast<int>(starts.size()), threads,
                 [&](int i) { ends[i] = descend(law, points, objective, starts[i]); });
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
