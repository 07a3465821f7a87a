#pragma once

#include <span>

#include "db/import/imported_curves.hpp"

namespace loglog {

/// Adds a problem where N, D and C cannot all be in parameters, tokens and FLOPs: all N below 10^4, all D below 10^5 or
/// all C below 10^9, unless a scale was given for that quantity (1 says that it is as written); C beyond a factor of
/// 100 of 6 N D, or the median of D / N outside 10^-3 to 10^6, unless a scale was given for one of them.
void check_units(std::span<const AssembledRun> runs, const ImportTable& table, const ColumnChoice& choice,
                 const ImportOptions& options, ImportProblems& problems);

}  // namespace loglog
