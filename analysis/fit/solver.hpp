#pragma once

#include "analysis/laws/law.hpp"

namespace loglog {

/// Where a descent ended.
struct Minimum {
    Values coordinates{};
    double value = 0;          ///< of the objective (its own penalty, not a smoothed one)
    double gradient_norm = 0;  ///< largest entry of the gradient along free coordinates, relative (see solver.cpp)
    int iterations = 0;
    bool converged = false;
};

/// Where a descent ends: at the rounding of its objective, or, among many starts of which the best are polished again,
/// once a step gains less than 1e-9 of it.
enum class DescentEnd { full, search };

/// Newton's method with exact second derivatives, damped by the positive reweighted metric and kept inside the law's
/// bounds by projection. For the absolute penalty, Huber's threshold is lowered in steps to 1e-10 of the typical
/// residual scale. Ten steps on end that gain less than 1e-6 each, without having converged, end it unconverged: the
/// data hardly determine the place.
Minimum polish(const Law& law, const Points& points, const Objective& objective, const Values& start,
               DescentEnd precision = DescentEnd::full);

/// Ceres' Levenberg-Marquardt from `start`, clamped to the bounds, then polish().
Minimum descend(const Law& law, const Points& points, const Objective& objective, const Values& start,
                DescentEnd precision = DescentEnd::full);

/// Condition number of the metric at `coordinates` after scaling to unit diagonal: how nearly some combination of the
/// free parameters leaves the predictions unchanged.
double condition_number(const Law& law, const Points& points, const Objective& objective, const Values& coordinates);

}  // namespace loglog
