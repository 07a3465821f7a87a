#pragma once

#include <span>

#include "analysis/bootstrap/bootstrap.hpp"

namespace loglog {

/// The mean of differences with Student's 95% interval; se, low and high are NaN for fewer than two, the value for
/// none.
Estimate mean_difference(std::span<const double> differences);

}  // namespace loglog
