#pragma once

#include "analysis/isoflop/optima_fit.hpp"

namespace loglog {

/// How far the method itself is off on these grids: a surface L = E + A N^-alpha + B D^-beta is fitted to the runs, its
/// losses without noise take the place of the measured ones, and what `interpolation` and the regression make of them
/// is compared with the surface's own optima along the budgets. A parabola through sizes that are not centred on the
/// optimum, or reach far from it, misses that optimum although there is no noise at all.
///
/// Throws InputError where the surface cannot be fitted (see find_optimum).
SurfaceBias surface_bias(std::span<const Valley> valleys, const Optima& optima, Interpolation interpolation,
                         BudgetWeights weights, const InferenceOptions& options);

}  // namespace loglog
