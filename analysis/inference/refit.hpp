#pragma once

#include <string>
#include <vector>

#include "analysis/fit/optimum.hpp"

namespace loglog {

/// A law fitted again to other points or under another objective, without intervals.
struct Refit {
    std::string choice;                ///< what is different, in words
    std::string failure;               ///< why there are no numbers, else empty
    std::vector<std::string> caveats;  ///< codes of warnings
    std::size_t n_points = 0;
    double value = 0;  ///< of its own objective
    Values coordinates{};
    std::vector<std::pair<std::string, double>> parameters;
    std::vector<std::pair<std::string, double>> derived;
};

/// The endings of a search: where refits to much the same points start.
std::vector<Values> endings(const Optimum& optimum);

/// Descends from `near` (coordinates) and from a sample of the law's grid: much cheaper than find_optimum() where the
/// answer is expected nearby, and still not bound to it. Points of no weight do not count; coordinates carry over
/// between sets of points since they are measured from the middle of the data.
///
/// A law that the points cannot identify gives a `failure`, not an exception.
Refit refit(std::string choice, const Law& law, const Points& points, const Objective& objective,
            std::span<const Values> near);

/// The `points` without those of `left_out`, which keep their place with no weight.
Points without(const Points& points, const std::vector<std::size_t>& left_out);

/// The value of this name among a refit's parameters and derived numbers; NaN if there is none.
double value_of(const Refit& refit, std::string_view name);

}  // namespace loglog
