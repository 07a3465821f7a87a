#include "analysis/fit/optimum.hpp"

#include <algorithm>
#include <cmath>

#include "analysis/fit/parallel.hpp"
#include "analysis/fit/rounded.hpp"
#include "engine/base/error.hpp"
#include "engine/base/permutation.hpp"

namespace loglog {
namespace {

constexpr double agreement = 1e-4;
constexpr std::size_t alternatives = 2;
constexpr std::size_t most_points_searched = 256;
constexpr std::size_t most_polished = 8;  // distinct endings

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
                             twelve_digits(points.x(0, variable)) + "): the law '" + std::string{law.name()} +
                             "' cannot be identified from one value; add runs that vary it"};
        }
    }
}

/// A random subset of large data, in which the search is run before its best endings are polished on all of them.
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

/// Where a share of the starts ended.
struct Ending {
    Minimum minimum;
    int starts = 0;
};

/// Noise-free data end at rounding: objectives below residuals of 1e-12 are the same optimum.
bool agrees(double value, double best, const Points& points) {
    return value <= best + agreement * best + 1e-24 * static_cast<double>(points.size());
}

bool is_lower(const Ending& left, const Ending& right) { return left.minimum.value < right.minimum.value; }

/// The distinct endings, lowest first; those that do not end at a number are left out.
std::vector<Ending> distinct(std::vector<Ending> ends, const Points& points) {
    std::erase_if(ends, [](const Ending& end) { return !std::isfinite(end.minimum.value); });
    std::stable_sort(ends.begin(), ends.end(), is_lower);
    std::vector<Ending> merged;
    for (const Ending& end : ends) {
        if (!merged.empty() && agrees(end.minimum.value, merged.back().minimum.value, points)) {
            merged.back().starts += end.starts;
        } else {
            merged.push_back(end);
        }
    }
    return merged;
}

}  // namespace

Optimum find_optimum(const Law& law, const Points& points, const Objective& objective, int threads) {
    check_identifiable(law, points);
    const auto starts = law.starts(points);
    const Points searched = sample(points);
    std::vector<Ending> ends(starts.size());
    parallel_for(static_cast<int>(starts.size()), threads, [&](int i) {
        ends[i] = {descend(law, searched, objective, starts[i], DescentEnd::search), 1};
    });
    ends = distinct(std::move(ends), searched);
    ends.resize(std::min(ends.size(), most_polished));
    parallel_for(static_cast<int>(ends.size()), threads,
                 [&](int i) { ends[i].minimum = polish(law, points, objective, ends[i].minimum.coordinates); });
    ends = distinct(std::move(ends), points);
    if (ends.empty()) {
        throw Error{"fit: none of the " + std::to_string(starts.size()) + " starts reached a finite objective"};
    }

    Optimum optimum;
    optimum.best = ends.front().minimum;
    optimum.starts = static_cast<int>(starts.size());
    optimum.agreeing = ends.front().starts;
    for (std::size_t i = 1; i < std::min(ends.size(), alternatives + 1); ++i) {
        optimum.also_tried.push_back(ends[i].minimum.coordinates);
    }
    return optimum;
}

}  // namespace loglog
