#pragma once

#include <string>

#include "analysis/report/report.hpp"

namespace loglog {

/// All fits with their parameters: law, variable, convention of N, points, every parameter with its interval, caveats.
std::string fits_table(const Report& report);
/// Every run with its shape, cost and losses; sortable.
std::string runs_table(const Report& report);
/// Every id of the page with what its numbers came from.
std::string sources_table(const Report& report);
/// Runs that enter no fit, each with the reason.
std::string excluded_table(const Report& report);

/// Text as a cell of a CSV file, quoted where it has to be.
std::string csv_cell(const std::string& text);

/// The runs as CSV: every column of the registry's view but the specification.
std::string runs_csv(const Report& report);

}  // namespace loglog
