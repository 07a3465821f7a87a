#pragma once

#include <string>

#include "analysis/bootstrap/bootstrap.hpp"

namespace loglog {

/// A count to three digits with a decimal prefix: "1.23 M", "456 k", "2.5e+16" from 1e15 on.
std::string with_prefix(double value);

/// To four significant digits, or a dash for what is not a number.
std::string short_number(double value);

/// "0.072 to 0.091", or "not estimated".
std::string interval_text(const Estimate& estimate);

/// "0.081 [0.072, 0.091]".
std::string value_text(const Estimate& estimate);

}  // namespace loglog
