#include "analysis/report/curve_axes.hpp"

#include <algorithm>

namespace loglog {

double interpolated(const std::vector<double>& at, const std::vector<double>& values, double x) {
    const auto above = std::lower_bound(at.begin(), at.end(), x);
    if (above == at.begin()) { return values.front(); }
    if (above == at.end()) { return values.back(); }
    const auto i = static_cast<std::size_t>(above - at.begin());
    return values[i - 1] + (values[i] - values[i - 1]) * (x - at[i - 1]) / (at[i] - at[i - 1]);
}

std::vector<double> curve_positions(const ReportRun& run, CurveKind kind, CurveAxis axis) {
    const RunCurve& curve = run.curve;
    const auto& tokens = kind == CurveKind::train ? curve.tokens : curve.val_tokens;
    if (axis == CurveAxis::tokens) { return tokens; }
    std::vector<double> positions;
    if (axis == CurveAxis::flops) {
        if (!run.record.flops_per_token) { return {}; }
        for (const double at : tokens) { positions.push_back(at * *run.record.flops_per_token); }
        return positions;
    }
    const auto& recorded = axis == CurveAxis::steps ? curve.steps : curve.seconds;
    if (recorded.empty() || recorded.size() != curve.tokens.size()) { return {}; }
    if (kind == CurveKind::train) { return recorded; }
    for (const double at : tokens) { positions.push_back(at > 0 ? interpolated(curve.tokens, recorded, at) : 0); }
    return positions;
}

}  // namespace loglog
