#pragma once

#include "analysis/curve/curve_fit.hpp"

namespace loglog {

/// Reasons to doubt a fit to these curves.
std::vector<Warning> curve_caveats(const CurveFit& fit, std::span<const Curve> train);

}  // namespace loglog
