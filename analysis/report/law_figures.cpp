#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "analysis/report/chart_parts.hpp"
#include "analysis/report/drawable.hpp"
#include "analysis/report/drawing.hpp"
#include "analysis/report/thin.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

// Okabe and Ito's colours, told apart under the common forms of colour blindness.
const std::vector<std::string> laws{"power", "saturating"};
const std::vector<std::string> law_colours{"#D55E00", "#009E73"};
constexpr const char* point_colour = "#2F7FBF";
constexpr int line_points = 48;

/// Compute is written as powers of ten, counts with decimal prefixes.
AxisNumbers numbers_of(const std::string& x) { return x == "C" ? AxisNumbers::exponential : AxisNumbers::prefixed; }

std::string fit_id(const std::string& law, const std::string& x) {
    return law + "-" + x + (x == "N" ? "-non_embedding" : "");
}

/// The fitted curve over the range of its points, with its 95% band.
void append_line(Json& rows, const Inference& fit) {
    const auto [low, high] = std::minmax_element(fit.points.ln_x.begin(), fit.points.ln_x.end());
    for (int i = 0; i < line_points; ++i) {
        const double share = static_cast<double>(i) / (line_points - 1);
        const double x = std::exp(fit.points.centre[0] + (*low)[0] + share * ((*high)[0] - (*low)[0]));
        const Estimate loss = predict(fit, x)[1].estimate;
        Json row = {{"law", fit.law->name()}, {"x", rounded(x, 6)}, {"loss", rounded(loss.value, 6)}};
        if (std::isfinite(loss.low) && std::isfinite(loss.high)) {
            row["low"] = rounded(loss.low, 6);
            row["high"] = rounded(loss.high, 6);
        }
        rows.push_back(std::move(row));
    }
}

/// N, D, C and loss, as every mark of a run names it.
void name_run(Json& row, const RunRecord& record) {
    for (const char* x : {"N", "D", "C"}) { row[x] = quantity(record, x); }
    row["loss"] = rounded(*record.final_val_loss, 6);
}

/// Residuals of the runs that a fit of one variable used: ln(measured/fitted).
void append_residuals(Json& rows, const Report& report, const Inference& fit, const std::string& x) {
    std::set<std::string> left_out = runs_outside(report);
    for (const auto& exclusion : fit.excluded) { left_out.insert(exclusion.id); }
    for (const auto& run : report.input.runs) {
        const RunRecord& record = run.record;
        if (!can_be_fitted(record) || left_out.contains(record.id)) { continue; }
        const double at = quantity(record, x);
        const double fitted = fit.law->predict(fit.natural, at)[1].value;
        Json row = {{"run", record.id},
                    {"law", fit.law->name()},
                    {"x", at},
                    {"residual", rounded(std::log(*record.final_val_loss / fitted), 4)}};
        name_run(row, record);
        rows.push_back(std::move(row));
    }
}

Json run_rows(const Report& report) {
    Json rows = Json::array();
    std::set<std::pair<std::string, std::string>> unused;  // (variable, run)
    for (const char* x : {"N", "D", "C"}) {
        const Inference* fit = report.find(fit_id("power", x));
        if (fit == nullptr) { continue; }
        for (const auto& exclusion : fit->excluded) { unused.insert({x, exclusion.id}); }
    }
    const auto outside = runs_outside(report);
    for (const auto& run : report.input.runs) {
        const RunRecord& record = run.record;
        if (!can_be_fitted(record)) { continue; }
        Json row = {{"run", record.id}};
        if (!record.name.empty()) { row["name"] = record.name; }
        name_run(row, record);
        row["attention"] = record.attention;
        if (record.seed) { row["seed"] = *record.seed; }
        for (const char* x : {"N", "D", "C"}) {
            row[std::string{"use_"} + x] =
                unused.contains({x, record.id}) || outside.contains(record.id) ? "not in the fit" : "in the fit";
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

/// Fitted against measured loss of the law of N and D.
Json surface_rows(const Report& report, const SizeClasses& sizes) {
    Json rows = Json::array();
    const Inference* fit = report.find("chinchilla-non_embedding");
    if (fit == nullptr) { return rows; }
    const auto outside = runs_outside(report);
    for (const auto& run : report.input.runs) {
        const RunRecord& record = run.record;
        if (!can_be_fitted(record) || outside.contains(record.id)) { continue; }
        const double n = quantity(record, "N");
        const double d = quantity(record, "D");
        const double fitted = std::exp(
            fit->law->log_loss(fit->optimum.best.coordinates,
                               std::array{std::log(n) - fit->points.centre[0], std::log(d) - fit->points.centre[1]}));
        Json row = {{"run", record.id}, {"size", sizes.label(n)}, {"fitted", rounded(fitted, 6)}};
        row["residual"] = rounded(std::log(*record.final_val_loss / fitted), 4);
        name_run(row, record);
        rows.push_back(std::move(row));
    }
    return rows;
}

Json law_colour() {
    Json colour = series_colour("law", laws, law_colours);
    colour["legend"].update({{"symbolType", "stroke"}, {"symbolStrokeWidth", 2.5}, {"symbolSize", 300}});
    return colour;
}

Json law_dash() {
    const Json range = Json::array({Json::array({1, 0}), Json::array({7, 4})});
    Json dash = law_colour();
    dash["scale"]["range"] = range;
    return dash;
}

/// Bands may reach far from all runs, where refits have no floor or no fall: the axis is that of the losses measured.
Json fitted_loss_axis(const Range& losses) {
    const double margin = 1.05 * std::pow(losses.high / losses.low, 0.06);
    Json axis = loss_axis("validation loss, nats per token");
    axis["scale"] = {{"type", "log"}, {"nice", false}, {"domain", {losses.low / margin, losses.high * margin}}};
    return axis;
}

Chart fit_chart(const std::string& x, const std::string& title, const Range& range, const Range& losses) {
    const std::string line = "line_" + x;
    const Json loss = fitted_loss_axis(losses);
    Json low = loss;
    low["field"] = "low";
    const Json place = log_axis("x", title, range, numbers_of(x));
    Json band = {
        {"data", {{"name", line}}},
        {"mark", {{"type", "area"}, {"opacity", 0.16}, {"clip", true}}},
        {"encoding", {{"x", place}, {"y", std::move(low)}, {"y2", {{"field", "high"}}}, {"color", law_colour()}}}};
    Json curve = {{"data", {{"name", line}}},
                  {"mark", {{"type", "line"}, {"strokeWidth", 2}, {"clip", true}}},
                  {"encoding", {{"x", place}, {"y", loss}, {"color", law_colour()}, {"strokeDash", law_dash()}}}};
    const std::string use = "use_" + x;
    const std::string in_fit = "datum." + use + " === 'in the fit'";
    Json dots = {
        {"data", {{"name", "runs"}}},
        {"mark", {{"type", "point"}, {"strokeWidth", 1.3}, {"size", 46}, {"cursor", "pointer"}}},
        {"encoding",
         {{"x", log_axis(x, title, range, numbers_of(x))},
          {"y", loss},
          {"stroke", {{"value", point_colour}}},
          {"fill", {{"condition", {{"test", in_fit}, {"value", point_colour}}}, {"value", "transparent"}}},
          {"opacity", {{"condition", {{"test", in_fit}, {"value", 0.95}}}, {"value", 0.55}}},
          {"tooltip", run_tooltip({{use.c_str(), "use", ""}, {"attention", "attention", ""}, {"seed", "seed", ""}})}}}};
    filter_by_legend("law", curve, {&band});
    Json spec = spec_of(330);
    spec["layer"] = {std::move(band), std::move(curve), std::move(dots)};
    return {"fit-" + x, spec.dump()};
}

Json zero_line() {
    return {{"data", {{"values", Json::array({Json{{"zero", 0}}})}}},
            {"mark", {{"type", "rule"}, {"color", "#888"}}},
            {"encoding", {{"y", {{"field", "zero"}, {"type", "quantitative"}}}}}};
}

Json residual_axis() {
    return {{"field", "residual"},
            {"type", "quantitative"},
            {"title", "ln(measured/fit)"},
            {"axis", {{"format", "~g"}, {"minExtent", 44}, {"tickCount", 4}}}};
}

Chart residual_chart(const std::string& x, const std::string& title, const Range& range) {
    Json spec = spec_of(120);
    Json color = law_colour();
    color["legend"] = nullptr;
    Json dots = {
        {"data", {{"name", "residual_" + x}}},
        {"mark", {{"type", "point"}, {"filled", true}, {"size", 34}, {"opacity", 0.85}, {"cursor", "pointer"}}},
        {"encoding",
         {{"x", log_axis("x", title, range, numbers_of(x))},
          {"y", residual_axis()},
          {"color", std::move(color)},
          {"shape",
           {{"field", "law"},
            {"type", "nominal"},
            {"legend", nullptr},
            {"scale", {{"domain", laws}, {"range", {"circle", "diamond"}}}}}},
          {"tooltip", run_tooltip({{"law", "law", ""}, {"residual", "residual", "+.4f"}})}}}};
    spec["layer"] = {zero_line(), std::move(dots)};
    return {"residual-" + x, spec.dump()};
}

Json surface_dots(const SizeClasses& sizes, Json x, Json y) {
    return {{"data", {{"name", "surface"}}},
            {"mark", {{"type", "point"}, {"filled", true}, {"size", 46}, {"opacity", 0.95}, {"cursor", "pointer"}}},
            {"encoding",
             {{"x", std::move(x)},
              {"y", std::move(y)},
              {"color", series_colour("size", sizes.labels(), sizes.colours(), "N")},
              {"tooltip", run_tooltip({{"fitted", "fitted", ".4f"}, {"residual", "residual", "+.4f"}})}}}};
}

Chart agreement_chart(const SizeClasses& sizes) {
    Json x = loss_axis("fitted loss, nats per token");
    x["axis"].erase("minExtent");
    Json along = x;
    x["field"] = "fitted";
    const Json y = loss_axis("measured loss, nats per token");
    Json equal = {{"data", {{"name", "surface"}}},
                  {"mark", {{"type", "line"}, {"color", "#888"}, {"strokeWidth", 1}}},
                  {"encoding", {{"x", std::move(along)}, {"y", y}}}};
    Json dots = surface_dots(sizes, x, y);
    filter_by_legend("size", dots);
    Json spec = spec_of(330);
    spec["layer"] = {std::move(equal), std::move(dots)};
    return {"surface", spec.dump()};
}

Chart surface_residual_chart(const SizeClasses& sizes, const Range& tokens) {
    Json dots =
        surface_dots(sizes, log_axis("D", "D, training tokens", tokens, AxisNumbers::prefixed), residual_axis());
    dots["encoding"]["color"]["legend"] = nullptr;
    Json spec = spec_of(130);
    spec["layer"] = {zero_line(), std::move(dots)};
    return {"residual-surface", spec.dump()};
}

}  // namespace

void add_laws(const Report& report, const SizeClasses& sizes, Drawing& drawing) {
    std::map<std::string, Range> extents;
    Range losses;
    for (const auto& run : report.input.runs) {
        if (!can_be_fitted(run.record)) { continue; }
        losses.include(*run.record.final_val_loss);
        for (const char* x : {"N", "D", "C"}) { extents[x].include(quantity(run.record, x)); }
    }
    const std::array<std::array<const char*, 4>, 3> axes{
        {{"N", "L(N)", "N, non-embedding parameters", "the longest-trained runs of each size"},
         {"D", "L(D)", "D, training tokens", "the runs of the largest model at each token count"},
         {"C", "L(C)", "C, training FLOPs", "the lower envelope: no run of at most as much compute has a lower loss"}}};
    drawing.sets["runs"] = run_rows(report);
    for (const auto& [x, name, title, choice] : axes) {
        Json lines = Json::array();
        Json residuals = Json::array();
        for (const auto& law : laws) {
            const Inference* fit = report.find(fit_id(law, x));
            if (fit == nullptr) { continue; }
            append_line(lines, *fit);
            append_residuals(residuals, report, *fit, x);
        }
        const bool fitted = !lines.empty();
        drawing.sets[std::string{"line_"} + x] = std::move(lines);
        drawing.sets[std::string{"residual_"} + x] = std::move(residuals);
        Figure figure;
        figure.title = fmt::format("{}: final validation loss against {}", name, x);
        figure.caption = fmt::format(
            "Filled points enter the fits ({}); open ones do not. Lines: power law and power law with a floor; shaded: "
            "95% bootstrap bands. Below: residuals, the logarithm of measured over fitted loss.",
            choice);
        figure.charts.push_back(fit_chart(x, title, extents[x], losses));
        if (fitted) { figure.charts.push_back(residual_chart(x, title, extents[x])); }
        drawing.figures.push_back(std::move(figure));
    }
    drawing.sets["surface"] = surface_rows(report, sizes);
    if (report.find("chinchilla-non_embedding") == nullptr) { return; }
    drawing.figures.push_back({"L(N, D): measured against fitted loss",
                               "All finished runs under L = E + A N^-alpha + B D^-beta; the line is where both agree. "
                               "Below: residuals against the tokens trained on.",
                               {agreement_chart(sizes), surface_residual_chart(sizes, extents["D"])}});
}

}  // namespace loglog
