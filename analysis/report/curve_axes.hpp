#pragma once

#include <vector>

#include "analysis/report/report.hpp"

namespace loglog {

enum class CurveAxis { tokens, steps, flops, seconds };
enum class CurveKind { train, validation };

/// Where the points of a run's curve stand on an axis; empty where that was not recorded. Steps and seconds of an
/// evaluation are those of the training step with as many tokens, interpolated linearly.
std::vector<double> curve_positions(const ReportRun& run, CurveKind kind, CurveAxis axis);

/// `values` at `x`, linear between neighbours of the ascending `at`, constant beyond its ends.
double interpolated(const std::vector<double>& at, const std::vector<double>& values, double x);

}  // namespace loglog
