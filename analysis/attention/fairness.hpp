#pragma once

#include <vector>

#include "analysis/attention/run_groups.hpp"
#include "analysis/attention/tuning.hpp"

namespace loglog {

/// What makes a comparison less than fair, each with a stable code (docs/formats.md lists them): data, context, batch,
/// tokens, schedule, seeds, parameters and tuning that are not the same for all variants. `tunings` by variant.
std::vector<Warning> fairness_warnings(const std::vector<ComparedRun>& runs, const RunGroups& groups,
                                       const std::vector<Tuning>& tunings);

}  // namespace loglog
