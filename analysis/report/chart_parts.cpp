#include "analysis/report/chart_parts.hpp"

#include <algorithm>
#include <cmath>

#include "analysis/report/thin.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

void Range::include(double value) {
    if (!(value > 0) || !std::isfinite(value)) { return; }
    low = std::min(low, value);
    high = std::max(high, value);
}

std::vector<double> log_ticks(const Range& range) {
    if (!(range.low > 0) || !(range.high >= range.low) || !std::isfinite(range.high)) { return {}; }
    const double decades = std::log10(range.high / range.low);
    std::vector<double> steps{1};
    if (decades < 2.5) { steps = {1, 2, 5}; }
    if (decades < 1) { steps = {1, 1.5, 2, 3, 4, 5, 7}; }
    std::vector<double> ticks;
    for (int power = static_cast<int>(std::floor(std::log10(range.low))); std::pow(10.0, power) <= range.high;
         ++power) {
        for (const double step : steps) {
            const double tick = rounded(step * std::pow(10.0, power), 3);
            if (tick >= range.low && tick <= range.high) { ticks.push_back(tick); }
        }
    }
    return ticks;
}

Json log_axis(const std::string& field, const std::string& title, const Range& range, AxisNumbers numbers) {
    const Range wider{range.low / 1.12, range.high * 1.12};
    Json axis = {{"labelOverlap", "greedy"}, {"values", log_ticks(wider)}};
    if (numbers == AxisNumbers::exponential) {
        axis["labelExpr"] = "replace(format(datum.value, '~e'), '+', '')";
    } else {
        axis["format"] = "~s";
    }
    return {{"field", field},
            {"type", "quantitative"},
            {"title", title},
            {"scale", {{"type", "log"}, {"nice", false}, {"domain", {wider.low, wider.high}}}},
            {"axis", std::move(axis)}};
}

Json loss_axis(const std::string& title) {
    return {{"field", "loss"},
            {"type", "quantitative"},
            {"title", title},
            {"scale", {{"type", "log"}, {"nice", false}, {"padding", 8}}},
            {"axis", {{"format", "~g"}, {"minExtent", 44}, {"tickCount", 7}}}};
}

Json tooltip(const std::vector<std::array<const char*, 3>>& fields) {
    Json list = Json::array();
    for (const auto& [field, title, format] : fields) {
        Json entry = {{"field", field}, {"title", title}};
        if (*format != '\0') {
            entry["type"] = "quantitative";
            entry["format"] = format;
        }
        list.push_back(std::move(entry));
    }
    return list;
}

Json run_tooltip(const std::vector<std::array<const char*, 3>>& more) {
    std::vector<std::array<const char*, 3>> fields{
        {"run", "run", ""}, {"N", "N", ".4s"}, {"D", "D", ".4s"}, {"C", "C", ".3e"}, {"loss", "loss", ".4f"}};
    fields.insert(fields.end(), more.begin(), more.end());
    return tooltip(fields);
}

Json series_colour(const std::string& field, const std::vector<std::string>& values,
                   const std::vector<std::string>& colours, const std::string& title) {
    Json colour = {
        {"field", field},
        {"type", "nominal"},
        {"scale", {{"domain", values}, {"range", colours}}},
        {"legend",
         {{"orient", "top"}, {"symbolOpacity", 1}, {"columns", values.size() > 6 ? 5 : 6}, {"titleOrient", "left"}}}};
    colour["title"] = title.empty() ? Json(nullptr) : Json(title);
    return colour;
}

void filter_by_legend(const std::string& field, Json& owner, const std::vector<Json*>& others) {
    const std::string name = "shown_" + field;
    // Each click adds to what is shown or takes from it; nothing chosen shows everything.
    owner["params"].push_back(
        {{"name", name}, {"select", {{"type", "point"}, {"fields", {field}}, {"toggle", "true"}}}, {"bind", "legend"}});
    const auto filter = [&](Json& unit) { unit["transform"].push_back({{"filter", {{"param", name}}}}); };
    filter(owner);
    for (Json* other : others) { filter(*other); }
}

Json spec_of(int height) {
    return {{"$schema", "https://vega.github.io/schema/vega-lite/v6.json"},
            {"width", "container"},
            {"height", height},
            {"autosize", {{"type", "fit-x"}, {"contains", "padding"}}}};
}

}  // namespace loglog
