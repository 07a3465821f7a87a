#pragma once

#include <span>

#include "analysis/laws/points.hpp"

namespace loglog {

/// Smallest loss of the points that carry weight.
double smallest_loss(const Points& points);

/// Geometric mean of the losses: what a law predicts near the centre of the data.
double typical_loss(const Points& points);

}  // namespace loglog
