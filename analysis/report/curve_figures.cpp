#include <algorithm>
#include <cmath>
#include <map>

#include "analysis/report/chart_parts.hpp"
#include "analysis/report/curve_axes.hpp"
#include "analysis/report/drawing.hpp"
#include "analysis/report/thin.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_runs_highlighted = 250;  // above it, following the pointer stutters
constexpr std::size_t envelope_points = 160;

struct Axis {
    CurveAxis axis;
    const char* field;
    const char* title;
    const char* label;
    AxisNumbers numbers;
};
constexpr Axis axes[] = {
    {CurveAxis::tokens, "tokens", "training tokens", "tokens", AxisNumbers::prefixed},
    {CurveAxis::steps, "step", "optimizer steps", "steps", AxisNumbers::prefixed},
    {CurveAxis::flops, "flops", "training compute, exact model FLOPs", "FLOPs", AxisNumbers::exponential},
    {CurveAxis::seconds, "seconds", "training time, seconds", "time", AxisNumbers::prefixed}};

bool all_have_validation(const Report& report) {
    return std::all_of(report.input.runs.begin(), report.input.runs.end(),
                       [](const ReportRun& run) { return run.curve.tokens.empty() || !run.curve.val_tokens.empty(); });
}

Range extent(const Report& report, CurveAxis axis) {
    Range range;
    for (const auto& run : report.input.runs) {
        for (const auto kind : {CurveKind::train, CurveKind::validation}) {
            for (const double x : curve_positions(run, kind, axis)) { range.include(x); }
        }
    }
    return range;
}

/// The least validation loss of any run at each cost or less, at the costs where it falls.
Json envelope_rows(const Report& report, const Axis& axis) {
    std::vector<std::pair<double, double>> points;
    for (const auto& run : report.input.runs) {
        const auto x = curve_positions(run, CurveKind::validation, axis.axis);
        for (std::size_t i = 0; i < x.size(); ++i) {
            if (x[i] > 0 && run.curve.val_loss[i] > 0) { points.emplace_back(x[i], run.curve.val_loss[i]); }
        }
    }
    std::sort(points.begin(), points.end());
    std::vector<std::pair<double, double>> steps;
    for (const auto& point : points) {
        if (steps.empty() || point.second < steps.back().second) { steps.push_back(point); }
    }
    const std::size_t stride = steps.size() / envelope_points + 1;
    Json rows = Json::array();
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (i % stride != 0 && i + 1 != steps.size()) { continue; }
        rows.push_back({{axis.field, rounded(steps[i].first, 6)}, {"loss", rounded(steps[i].second, 6)}});
    }
    if (!rows.empty() && points.back().first > steps.back().first) {
        rows.push_back({{axis.field, rounded(points.back().first, 6)}, {"loss", rounded(steps.back().second, 6)}});
    }
    return rows;
}

Chart curves_chart(const Report& report, const SizeClasses& sizes, const Axis& axis, const Range& range) {
    const bool many = report.input.runs.size() > most_runs_highlighted;
    const bool validation_only = many && all_have_validation(report);
    const char* set = validation_only ? "validation_curves" : "curves";
    const Json encoding = {{"x", log_axis(axis.field, axis.title, range, axis.numbers)},
                           {"y", loss_axis("loss, nats per token")},
                           {"color", series_colour("size", sizes.labels(), sizes.colours(), "N")},
                           {"detail", {{{"field", "run"}}, {{"field", "kind"}}}},
                           {"tooltip", tooltip({{"run", "run", ""},
                                                {"kind", "curve", ""},
                                                {"state", "state", ""},
                                                {"N", "N", ".4s"},
                                                {"D", "D", ".4s"},
                                                {"C", "C", ".3e"},
                                                {"final", "final validation loss", ".4f"}})}};
    const auto lines = [&](const char* kind, Json mark) {
        mark["cursor"] = "pointer";
        return Json{{"data", {{"name", set}}},
                    {"transform", Json::array({Json{{"filter", std::string{"datum.kind === '"} + kind + "'"}}})},
                    {"mark", std::move(mark)},
                    {"encoding", encoding}};
    };
    Json validation = lines("validation", {{"type", "line"}, {"strokeWidth", many ? 1.2 : 1.9}});
    if (!many) { validation["mark"]["point"] = {{"size", 14}, {"filled", true}}; }
    Json train = lines("train", {{"type", "line"}, {"strokeWidth", 0.8}, {"opacity", 0.35}});
    if (!many) {
        const Json select = {
            {"type", "point"}, {"fields", Json::array({"run"})}, {"on", "pointerover"}, {"clear", "pointerout"}};
        validation["params"] = Json::array({Json{{"name", "pointed"}, {"select", select}}});
        validation["encoding"]["opacity"] = {{"condition", {{"param", "pointed"}, {"value", 1}}}, {"value", 0.15}};
        train["encoding"]["opacity"] = {{"condition", {{"param", "pointed"}, {"value", 0.35}}}, {"value", 0.06}};
    }
    const std::string envelope = std::string{"envelope_"} + axis.field;
    Json lowest = {{"data", {{"name", envelope}}},
                   {"mark",
                    {{"type", "line"},
                     {"interpolate", "step-after"},
                     {"stroke", "currentColor"},
                     {"strokeWidth", 1.3},
                     {"strokeDash", {5, 3}}}},
                   {"encoding", {{"x", encoding["x"]}, {"y", encoding["y"]}}}};
    filter_by_legend("size", validation, {&train});

    Json spec = spec_of(400);
    spec["layer"] = Json::array();
    if (!validation_only) { spec["layer"].push_back(std::move(train)); }
    spec["layer"].push_back(std::move(validation));
    spec["layer"].push_back(std::move(lowest));
    return {std::string{"curves-"} + axis.field, spec.dump(), axis.label};
}

}  // namespace

void add_curves(const Report& report, const SizeClasses& sizes, Drawing& drawing) {
    Figure figure;
    figure.title = "Loss along the runs";
    figure.caption =
        "Thick: validation. Thin: training, averaged in bins evenly spaced in the logarithm of the tokens; pages of "
        "many "
        "runs show validation alone. Unfinished runs are included. Dashed: the envelope, the lowest validation loss "
        "that "
        "any run had reached at that cost. A click on a line shows its run, a click in the legend chooses sizes.";
    figure.switch_title = "against";
    for (const Axis& axis : axes) {
        const Range range = extent(report, axis.axis);
        if (!(range.high > 0)) { continue; }
        drawing.sets[std::string{"envelope_"} + axis.field] = envelope_rows(report, axis);
        figure.charts.push_back(curves_chart(report, sizes, axis, range));
    }
    if (!figure.charts.empty()) { drawing.figures.push_back(std::move(figure)); }
}

}  // namespace loglog
