#pragma once

#include "analysis/curve/curve_form.hpp"

namespace loglog {

const CurveForm& multi_power_form();
const CurveForm& annealing_form();

}  // namespace loglog
