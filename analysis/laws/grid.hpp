#pragma once

#include <utility>

#include "analysis/laws/points.hpp"

namespace loglog {

/// Smallest loss of the points that carry weight.
double smallest_loss(const Points& points);

/// Largest one likewise.
double largest_loss(const Points& points);

/// Least and largest centred ln x of one variable.
std::pair<double, double> range_of(const Points& points, std::size_t variable);

/// Geometric mean of the losses: what a law predicts near the centre of the data.
double typical_loss(const Points& points);

}  // namespace loglog
