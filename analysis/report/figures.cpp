#include "analysis/report/figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "analysis/report/attention_section.hpp"
#include "analysis/report/chart_parts.hpp"
#include "analysis/report/drawable.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

// Okabe and Ito's colours, told apart under the common forms of colour blindness; the sequence keeps to middle
// lightness, so that both ends stand out from light and from dark paper.
constexpr const char* power_colour = "#D55E00";
constexpr const char* saturating_colour = "#009E73";
constexpr const char* point_colour = "#2F7FBF";
const std::vector<std::string> sequence{"#5B53A8", "#2F7FBF", "#1D9E89", "#7DAF3A", "#E0A51B"};

/// Compute is written as powers of ten, counts with decimal prefixes.
AxisNumbers numbers_of(const std::string& x) {
    return x == "flops" || x == "C" ? AxisNumbers::exponential : AxisNumbers::prefixed;
}

constexpr std::size_t most_runs_highlighted = 250;  // above it, following the pointer stutters

/// The extent of every axis, over the runs that can be drawn; charts under one another share it.
std::map<std::string, Range> ranges(const Report& report) {
    std::map<std::string, Range> extents;
    for (const auto& [record, curve] : report.input.runs) {
        if (record.non_embedding_params) { extents["size"].include(static_cast<double>(*record.non_embedding_params)); }
        for (const auto* tokens : {&curve.tokens, &curve.val_tokens}) {
            for (const double at : *tokens) {
                if (at <= 0) { continue; }
                extents["tokens"].include(at);
                if (record.flops_per_token) { extents["flops"].include(at * *record.flops_per_token); }
            }
        }
        if (!can_be_fitted(record)) { continue; }
        for (const char* x : {"N", "D", "C"}) { extents[x].include(quantity(record, x)); }
    }
    return extents;
}

Json size_colour(const Range& sizes) {
    return {
        {"field", "N"},
        {"type", "quantitative"},
        {"title", "N, non-embedding"},
        {"scale", {{"type", "log"}, {"range", sequence}, {"interpolate", "lab"}}},
        {"legend", {{"type", "gradient"}, {"format", "~s"}, {"gradientLength", 140}, {"values", log_ticks(sizes)}}}};
}

Chart curves_chart(const std::string& x, const std::string& title, std::map<std::string, Range>& extents,
                   bool highlight) {
    Json train = {{"transform", Json::array({Json{{"filter", "datum.kind === 'train'"}}})},
                  {"mark", {{"type", "line"}, {"strokeWidth", 0.8}, {"opacity", 0.35}}}};
    Json validation = {{"transform", Json::array({Json{{"filter", "datum.kind === 'validation'"}}})},
                       {"mark", {{"type", "line"}, {"strokeWidth", 1.9}, {"point", {{"size", 14}, {"filled", true}}}}}};
    if (highlight) {
        const Json select = {
            {"type", "point"}, {"fields", Json::array({"run"})}, {"on", "pointerover"}, {"clear", "pointerout"}};
        validation["params"] = Json::array({Json{{"name", "pointed"}, {"select", select}}});
        validation["encoding"]["opacity"] = {{"condition", {{"param", "pointed"}, {"value", 1}}}, {"value", 0.15}};
        train["encoding"]["opacity"] = {{"condition", {{"param", "pointed"}, {"value", 0.35}}}, {"value", 0.06}};
    }
    Json spec = spec_of(380);
    spec["data"] = {{"name", "curves"}};
    spec["encoding"] = {{"x", log_axis(x, title, extents[x], numbers_of(x))},
                        {"y", loss_axis("loss, nats per token")},
                        {"color", size_colour(extents["size"])},
                        {"detail", {{{"field", "run"}}, {{"field", "kind"}}}},
                        {"tooltip", tooltip({{"run", "run", ""},
                                             {"kind", "curve", ""},
                                             {"state", "state", ""},
                                             {"N", "N", ".3s"},
                                             {"D", "D", ".3s"},
                                             {"final", "final validation loss", ".4f"}})}};
    spec["layer"] = {std::move(train), std::move(validation)};
    return {"curves-" + x, spec.dump()};
}

Json law_legend() {
    return {{"symbolType", "stroke"},
            {"symbolStrokeWidth", 2.5},
            {"symbolOpacity", 1},
            {"symbolSize", 300},
            {"orient", "top"}};
}

Json law_colour() {
    return {{"field", "law"},
            {"type", "nominal"},
            {"title", nullptr},
            {"scale", {{"domain", {"power", "saturating"}}, {"range", {power_colour, saturating_colour}}}},
            {"legend", law_legend()}};
}

Json law_dash() {
    return {
        {"field", "law"},
        {"type", "nominal"},
        {"title", nullptr},
        {"legend", law_legend()},
        {"scale",
         {{"domain", {"power", "saturating"}}, {"range", Json::array({Json::array({1, 0}), Json::array({7, 4})})}}}};
}

Chart fit_chart(const std::string& x, const std::string& title, const Range& range) {
    const std::string line = "line_" + x;
    Json band = {{"data", {{"name", line}}},
                 {"mark", {{"type", "area"}, {"opacity", 0.16}}},
                 {"encoding",
                  {{"x", log_axis("x", title, range, numbers_of(x))},
                   {"y", {{"field", "low"}, {"type", "quantitative"}, {"scale", {{"type", "log"}}}}},
                   {"y2", {{"field", "high"}}},
                   {"color", law_colour()}}}};
    Json curve = {{"data", {{"name", line}}},
                  {"mark", {{"type", "line"}, {"strokeWidth", 2}}},
                  {"encoding",
                   {{"x", log_axis("x", title, range, numbers_of(x))},
                    {"y", loss_axis("validation loss, nats per token")},
                    {"color", law_colour()},
                    {"strokeDash", law_dash()}}}};
    const std::string use = "use_" + x;
    Json dots = {
        {"data", {{"name", "runs"}}},
        {"mark", {{"type", "point"}, {"strokeWidth", 1.3}, {"size", 46}}},
        {"encoding",
         {{"x", log_axis(x, title, range, numbers_of(x))},
          {"y", loss_axis("validation loss, nats per token")},
          {"stroke", {{"value", point_colour}}},
          {"fill",
           {{"condition", {{"test", "datum." + use + " === 'in the fit'"}, {"value", point_colour}}},
            {"value", "transparent"}}},
          {"opacity",
           {{"condition", {{"test", "datum." + use + " === 'in the fit'"}, {"value", 0.95}}}, {"value", 0.55}}},
          {"tooltip", tooltip({{"run", "run", ""},
                               {use.c_str(), "", ""},
                               {"N", "N", ".4s"},
                               {"D", "D", ".4s"},
                               {"C", "C", ".3e"},
                               {"loss", "loss", ".4f"},
                               {"attention", "attention", ""},
                               {"seed", "seed", ""}})}}}};
    Json spec = spec_of(330);
    spec["layer"] = {std::move(band), std::move(curve), std::move(dots)};
    return {"fit-" + x, spec.dump()};
}

Chart residual_chart(const std::string& x, const std::string& title, const Range& range) {
    Json spec = spec_of(110);
    Json zero = {{"data", {{"values", Json::array({Json{{"zero", 0}}})}}},
                 {"mark", {{"type", "rule"}, {"color", "#888"}}},
                 {"encoding", {{"y", {{"field", "zero"}, {"type", "quantitative"}}}}}};
    Json color = law_colour();
    color["legend"] = nullptr;
    Json dots = {{"data", {{"name", "residual_" + x}}},
                 {"mark", {{"type", "point"}, {"filled", true}, {"size", 28}, {"opacity", 0.8}}},
                 {"encoding",
                  {{"x", log_axis("x", title, range, numbers_of(x))},
                   {"y",
                    {{"field", "residual"},
                     {"type", "quantitative"},
                     {"title", "ln(measured/fit)"},
                     {"axis", {{"format", "~g"}, {"minExtent", 44}, {"tickCount", 4}}}}},
                   {"color", std::move(color)},
                   {"shape",
                    {{"field", "law"},
                     {"type", "nominal"},
                     {"legend", nullptr},
                     {"scale", {{"domain", {"power", "saturating"}}, {"range", {"circle", "diamond"}}}}}},
                   {"tooltip", tooltip({{"run", "run", ""}, {"law", "law", ""}, {"residual", "residual", "+.4f"}})}}}};
    spec["layer"] = {std::move(zero), std::move(dots)};
    return {"residual-" + x, spec.dump()};
}

Chart surface_chart(const Range& sizes) {
    Json spec = spec_of(330);
    Json equal = {{"data", {{"name", "surface"}}},
                  {"mark", {{"type", "line"}, {"color", "#888"}, {"strokeWidth", 1}}},
                  {"encoding", {{"x", {{"field", "loss"}, {"type", "quantitative"}}}, {"y", loss_axis("")}}}};
    Json x = loss_axis("fitted loss, nats per token");
    x["field"] = "fitted";
    x["axis"].erase("minExtent");
    equal["encoding"]["x"] = x;
    equal["encoding"]["x"]["field"] = "loss";
    equal["encoding"]["y"] = loss_axis("measured loss, nats per token");
    Json dots = {{"data", {{"name", "surface"}}},
                 {"mark", {{"type", "point"}, {"filled", true}, {"size", 46}, {"opacity", 0.95}}},
                 {"encoding",
                  {{"x", std::move(x)},
                   {"y", loss_axis("measured loss, nats per token")},
                   {"color", size_colour(sizes)},
                   {"tooltip", tooltip({{"run", "run", ""},
                                        {"N", "N", ".4s"},
                                        {"D", "D", ".4s"},
                                        {"loss", "measured", ".4f"},
                                        {"fitted", "fitted", ".4f"}})}}}};
    spec["layer"] = {std::move(equal), std::move(dots)};
    return {"surface", spec.dump()};
}

bool has_curves(const Report& report) {
    return std::any_of(report.input.runs.begin(), report.input.runs.end(),
                       [](const ReportRun& run) { return !run.curve.tokens.empty() || !run.curve.val_tokens.empty(); });
}

bool has_finished_runs(const Report& report) { return report.excluded.size() < report.input.runs.size(); }

}  // namespace

std::vector<Figure> figures(const Report& report) {
    std::vector<Figure> list;
    auto extents = ranges(report);
    const bool highlight = report.input.runs.size() <= most_runs_highlighted;
    if (has_curves(report)) {
        list.push_back(
            {"Loss against training tokens",
             "Thick: validation. Thin: training, averaged in bins evenly spaced in the logarithm of the tokens. "
             "One pair of lines a run, unfinished ones included.",
             {curves_chart("tokens", "training tokens", extents, highlight)}});
        list.push_back({"Loss against compute",
                        "The same curves against exact model FLOPs, forward and backward.",
                        {curves_chart("flops", "training compute, FLOPs", extents, highlight)}});
    }
    if (report.comparison) {
        for (auto& figure : attention_figures(*report.comparison)) { list.push_back(std::move(figure)); }
    }
    if (!has_finished_runs(report)) { return list; }
    const std::array<std::array<const char*, 4>, 3> axes{
        {{"N", "L(N)", "N, non-embedding parameters", "the longest-trained runs of each size"},
         {"D", "L(D)", "D, training tokens", "the runs of the largest model at each token count"},
         {"C", "L(C)", "C, training FLOPs", "the lower envelope: no run of at most as much compute has a lower loss"}}};
    for (const auto& [x, name, title, choice] : axes) {
        list.push_back(
            {fmt::format("{}: final validation loss against {}", name, x),
             fmt::format("Filled points enter the fits ({}); open ones do not. Lines: power law and power law with "
                         "a floor; shaded: 95% bootstrap bands. Below: residuals.",
                         choice),
             {fit_chart(x, title, extents[x]), residual_chart(x, title, extents[x])}});
    }
    if (report.find("chinchilla-non_embedding") != nullptr) {
        list.push_back({"L(N, D): measured against fitted loss",
                        "All finished runs under L = E + A N^-alpha + B D^-beta; the line is where both agree.",
                        {surface_chart(extents["N"])}});
    }
    return list;
}

}  // namespace loglog
