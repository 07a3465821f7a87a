#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "analysis/report/chart_parts.hpp"
#include "analysis/report/drawable.hpp"
#include "analysis/report/drawing.hpp"
#include "analysis/report/thin.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* efficient_colour = "#D55E00";
constexpr const char* point_colour = "#2F7FBF";
constexpr int frontier_points = 40;
constexpr int contour_points = 60;
constexpr int contours = 9;
constexpr double wider = 1.12;     // the axes go so far beyond the runs
constexpr double look_ahead = 10;  // the frontier is drawn for budgets up to so many times the largest

/// The law's constants, as Hoffmann et al. name them.
struct Surface {
    double floor, a, b, alpha, beta;

    explicit Surface(const Inference& fit)
        : floor{fit.estimate("E").value},
          a{fit.estimate("A").value},
          b{fit.estimate("B").value},
          alpha{fit.estimate("alpha").value},
          beta{fit.estimate("beta").value} {}

    double loss(double n, double d) const { return floor + a * std::pow(n, -alpha) + b * std::pow(d, -beta); }
};

struct Box {
    Range n, d, budget;  // budget: 6ND

    explicit Box(const Report& report) {
        const auto outside = runs_outside(report);
        for (const auto& run : report.input.runs) {
            if (!can_be_fitted(run.record) || outside.contains(run.record.id)) { continue; }
            n.include(quantity(run.record, "N"));
            d.include(quantity(run.record, "D"));
            budget.include(6 * quantity(run.record, "N") * quantity(run.record, "D"));
        }
    }
};

Json frontier_rows(const Inference& fit, const Box& box) {
    Json rows = Json::array();
    const double first = std::log(box.budget.low);
    const double last = std::log(box.budget.high * look_ahead);
    const auto add = [&](double budget, bool beyond) {
        Json row = {{"C", rounded(budget, 6)}, {"part", beyond ? "beyond the runs" : "within the runs"}};
        for (const auto& [name, estimate] : predict(fit, budget)) {
            if (name == "C") { continue; }
            row[name] = rounded(estimate.value, 6);
            if (!std::isfinite(estimate.low) || !std::isfinite(estimate.high)) { continue; }
            row[name + "_low"] = rounded(estimate.low, 6);
            row[name + "_high"] = rounded(estimate.high, 6);
        }
        rows.push_back(std::move(row));
    };
    for (int i = 0; i < frontier_points; ++i) {
        const double budget = std::exp(first + (last - first) * i / (frontier_points - 1));
        const bool beyond = budget > box.budget.high;
        if (beyond && !rows.empty() && rows.back()["part"] == "within the runs") {
            for (const bool side : {false, true}) { add(box.budget.high, side); }  // the two parts meet
        }
        add(budget, beyond);
    }
    return rows;
}

Json run_rows(const Report& report) {
    Json rows = Json::array();
    const auto outside = runs_outside(report);
    for (const auto& run : report.input.runs) {
        const RunRecord& record = run.record;
        if (!can_be_fitted(record) || outside.contains(record.id)) { continue; }
        const double n = quantity(record, "N");
        const double d = quantity(record, "D");
        rows.push_back({{"run", record.id},
                        {"N", n},
                        {"D", d},
                        {"C", quantity(record, "C")},
                        {"budget", 6 * n * d},
                        {"loss", rounded(*record.final_val_loss, 6)}});
    }
    return rows;
}

Chart frontier_chart(const std::string& field, const std::string& title, const Json& rows, const Box& box,
                     const Json& minima) {
    const bool is_loss = field == "loss";
    Range budgets = box.budget;
    budgets.include(box.budget.high * look_ahead);
    Range values = field == "N" ? box.n : box.d;
    for (const auto& row : rows) {
        // A band that knows no end must not flatten the line.
        values.include(row[field].get<double>());
        values.include(std::min(row.value(field + "_high", 0.0), 10 * row[field].get<double>()));
        values.include(std::max(row.value(field + "_low", 0.0), row[field].get<double>() / 10));
    }
    const Json x = log_axis("C", "compute budget C = 6ND, FLOPs", budgets, AxisNumbers::exponential);
    Json y = is_loss ? loss_axis(title) : log_axis(field, title, values, AxisNumbers::prefixed);
    y["field"] = field;
    y["axis"]["minExtent"] = 44;
    Json low = y;
    low["field"] = field + "_low";
    const Json dash = {
        {"field", "part"},
        {"type", "nominal"},
        {"title", nullptr},
        {"scale",
         {{"domain", {"within the runs", "beyond the runs"}},
          {"range", Json::array({Json::array({1, 0}), Json::array({6, 4})})}}},
        {"legend", {{"orient", "top"}, {"symbolType", "stroke"}, {"symbolSize", 300}, {"symbolStrokeWidth", 2}}}};
    Json band = {{"data", {{"name", "frontier"}}},
                 {"mark", {{"type", "area"}, {"opacity", 0.16}, {"color", efficient_colour}, {"clip", true}}},
                 {"encoding", {{"x", x}, {"y", low}, {"y2", {{"field", field + "_high"}}}}}};
    Json line = {{"data", {{"name", "frontier"}}},
                 {"mark", {{"type", "line"}, {"strokeWidth", 2}, {"color", efficient_colour}, {"clip", true}}},
                 {"encoding", {{"x", x}, {"y", y}, {"strokeDash", dash}}}};
    Json at_run = x;
    at_run["field"] = "budget";
    Json dots = {{"data", {{"name", "frontier_runs"}}},
                 {"mark",
                  {{"type", "point"},
                   {"filled", true},
                   {"size", 34},
                   {"opacity", 0.5},
                   {"color", point_colour},
                   {"cursor", "pointer"}}},
                 {"encoding", {{"x", at_run}, {"y", y}, {"tooltip", run_tooltip()}}}};
    if (field == "N") {
        // What is pointed at tells all of the optimum at the nearest budget.
        line["encoding"]["tooltip"] = tooltip({{"C", "C", ".3e"}, {"N", "N", ".4s"}, {"D", "D", ".4s"}});
    } else {
        line["encoding"]["strokeDash"]["legend"] = nullptr;
    }
    Json spec = spec_of(is_loss ? 200 : 230);
    spec["layer"] = {std::move(band), std::move(dots), std::move(line)};
    if (!minima.empty() && !is_loss) {
        const char* own = field == "N" ? "N" : "D";
        Json places = y;
        places["field"] = own;
        spec["layer"].push_back(
            {{"data", {{"name", "isoflop_minima"}}},
             {"mark",
              {{"type", "point"}, {"shape", "diamond"}, {"size", 90}, {"strokeWidth", 1.8}, {"color", "#009E73"}}},
             {"encoding",
              {{"x", at_run},
               {"y", std::move(places)},
               {"tooltip",
                tooltip(
                    {{"label", "valley of", ""}, {"N", "N", ".4s"}, {"D", "D", ".4s"}, {"loss", "loss", ".4f"}})}}}});
    }
    return {"frontier-" + field, spec.dump()};
}

/// Losses at which contours are drawn: even steps in the logarithm of what lies above the floor, rounded.
std::vector<double> contour_levels(const Surface& surface, const Box& box) {
    const double most = surface.loss(box.n.low, box.d.low);
    const double least = surface.loss(box.n.high, box.d.high);
    std::vector<double> levels;
    for (int i = 0; i < contours; ++i) {
        const double share = (i + 0.5) / contours;
        const double above =
            std::exp(std::log(least - surface.floor) * (1 - share) + std::log(most - surface.floor) * share);
        const double level = rounded(surface.floor + above, 3);
        if (level > least && level < most && (levels.empty() || level > levels.back())) { levels.push_back(level); }
    }
    return levels;
}

/// Points (N, D) of equal fitted loss: the share s of what lies above the floor is due to N, the rest to D.
Json contour_rows(const Surface& surface, const Box& box, Json& labels) {
    Json rows = Json::array();
    for (const double level : contour_levels(surface, box)) {
        const double above = level - surface.floor;
        Json last;
        // The share lies between what the box's sides give; even steps in its logit follow both steep ends.
        const auto of_n = [&](double n) { return surface.a * std::pow(n, -surface.alpha) / above; };
        const auto of_d = [&](double d) { return 1 - surface.b * std::pow(d, -surface.beta) / above; };
        const double most = std::min({of_n(box.n.low / wider), of_d(box.d.high * wider), 1 - 1e-9});
        const double least = std::max({of_n(box.n.high * wider), of_d(box.d.low / wider), 1e-9});
        if (!(most > least)) { continue; }
        const double first = std::log(1 / most - 1);
        const double end = std::log(1 / least - 1);
        for (int i = 0; i <= contour_points; ++i) {
            const double share = 1 / (1 + std::exp(first + (end - first) * i / contour_points));
            const double n = std::pow(above * share / surface.a, -1 / surface.alpha);
            const double d = std::pow(above * (1 - share) / surface.b, -1 / surface.beta);
            last = {{"level", level}, {"order", i}, {"N", rounded(n, 5)}, {"D", rounded(d, 5)}};
            rows.push_back(last);
        }
        if (!last.is_null()) { labels.push_back(last); }
    }
    return rows;
}

Chart contour_chart(const Box& box) {
    const Json x = log_axis("N", "N, non-embedding parameters", box.n, AxisNumbers::prefixed);
    Json y = log_axis("D", "D, training tokens", box.d, AxisNumbers::prefixed);
    y["axis"]["minExtent"] = 44;
    const auto colour = [](const char* field) {
        return Json{
            {"field", field},
            {"type", "quantitative"},
            {"title", "loss"},
            {"scale", {{"type", "log"}, {"nice", false}, {"range", colour_sequence(5)}, {"interpolate", "lab"}}},
            {"legend", nullptr}};
    };
    Json lines = {{"data", {{"name", "contours"}}},
                  {"mark", {{"type", "line"}, {"strokeWidth", 1.4}, {"clip", true}}},
                  {"encoding",
                   {{"x", x},
                    {"y", y},
                    {"detail", Json::array({Json{{"field", "level"}}})},
                    {"order", {{"field", "order"}, {"type", "quantitative"}}},
                    {"color", colour("level")}}}};
    Json labels = {
        {"data", {{"name", "contour_labels"}}},
        {"mark",
         {{"type", "text"}, {"align", "right"}, {"dx", -3}, {"dy", -7}, {"fontSize", 11}, {"color", "currentColor"}}},
        {"encoding",
         {{"x", x}, {"y", y}, {"text", {{"field", "level"}, {"type", "quantitative"}, {"format", ".3~g"}}}}}};
    Json efficient = {
        {"data", {{"name", "frontier"}}},
        {"mark",
         {{"type", "line"}, {"strokeWidth", 2.2}, {"strokeDash", {7, 4}}, {"stroke", "currentColor"}, {"clip", true}}},
        {"encoding", {{"x", x}, {"y", y}, {"order", {{"field", "C"}, {"type", "quantitative"}}}}}};
    Json dots = {{"data", {{"name", "frontier_runs"}}},
                 {"mark", {{"type", "point"}, {"filled", true}, {"size", 70}, {"opacity", 1}, {"cursor", "pointer"}}},
                 {"encoding", {{"x", x}, {"y", y}, {"color", colour("loss")}, {"tooltip", run_tooltip()}}}};
    Json spec = spec_of(400);
    spec["layer"] = {std::move(lines), std::move(labels), std::move(efficient), std::move(dots)};
    return {"contour", spec.dump()};
}

}  // namespace

void add_frontier(const Report& report, const SizeClasses&, Drawing& drawing) {
    const Inference* fit = report.find("chinchilla-non_embedding");
    if (fit == nullptr) { return; }
    const Box box{report};
    const Surface surface{*fit};
    const bool usable = surface.a > 0 && surface.b > 0 && surface.alpha > 0 && surface.beta > 0;
    if (!usable || !(box.n.high > box.n.low) || !(box.d.high > box.d.low)) { return; }
    Json rows = frontier_rows(*fit, box);
    const Json minima = drawing.sets.value("isoflop_minima", Json::array());
    Figure frontier;
    frontier.title = "The compute-optimal frontier";
    frontier.caption = fmt::format(
        "The size N and the tokens D of least fitted loss for a budget C = 6ND, and that loss, with 95% bootstrap "
        "bands; "
        "dashed: beyond the largest budget of the runs, up to {:.0f} times it, where nothing was measured. Dots: runs, "
        "at their 6ND{}.",
        look_ahead, minima.empty() ? "" : "; diamonds: minima of the iso-FLOP valleys");
    frontier.charts = {frontier_chart("N", "best N, parameters", rows, box, minima),
                       frontier_chart("D", "best D, tokens", rows, box, minima),
                       frontier_chart("loss", "loss, nats per token", rows, box, minima)};
    drawing.figures.push_back(std::move(frontier));
    drawing.sets["frontier"] = std::move(rows);
    drawing.sets["frontier_runs"] = run_rows(report);
    Json labels = Json::array();
    Json lines = contour_rows(surface, box, labels);
    drawing.sets["contours"] = std::move(lines);
    drawing.sets["contour_labels"] = std::move(labels);
    drawing.figures.push_back(
        {"The surface L(N, D)",
         "Contours of equal fitted loss, and the runs in the colours of what they measured: a dot "
         "that stands out from the contours beside it is not described by the law. Dashed: the "
         "efficient line, on which a budget C = 6ND gives the least loss.",
         {contour_chart(box)}});
}

}  // namespace loglog
