#pragma once

#include <CLI/CLI.hpp>

namespace loglog {

// CLI11's own PositiveNumber and Range let nan pass, and the former inf.

/// A finite number above 0.
CLI::Validator positive_number();

/// A number from `low` to `high`.
CLI::Validator number_within(double low, double high);

}  // namespace loglog
