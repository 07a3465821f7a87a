#pragma once

#include "analysis/attention/comparison.hpp"

namespace loglog {

/// The points of a cost axis; empty where a run does not know its cost.
std::vector<LossPoint> points_on(CostAxis axis, const std::vector<ComparedRun>& runs, const RunGroups& groups);

/// Fits the nested families, tests what may be shared, and states multipliers at `options.losses`. A failure is told in
/// the result.
AxisResult analyse_axis(CostAxis axis, const std::vector<LossPoint>& points, const RunGroups& groups,
                        const CompareOptions& options);

}  // namespace loglog
