#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/report/attention_section.hpp"
#include "analysis/report/chart_parts.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

// Okabe and Ito's colours without black and yellow, which vanish on one of the two papers.
const std::vector<std::string> palette{"#2F7FBF", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8F7A00"};
constexpr const char* control_colour = "#8A8F96";
const std::vector<std::string> shapes{"circle", "square", "triangle-up", "diamond", "cross", "triangle-down"};

const char* cost_title(CostAxis axis) {
    switch (axis) {
        case CostAxis::flops:
            return "C, training FLOPs";
        case CostAxis::parameters:
            return "N, non-embedding parameters";
        case CostAxis::seconds:
            return "training time, seconds";
    }
    return "";
}

/// One colour or shape a variant, the same in every chart; controls are grey.
Json variant_scale(const Comparison& c, const std::vector<std::string>& values, const char* of_controls) {
    Json domain = Json::array(), range = Json::array();
    std::size_t next = 0;
    for (const auto& variant : c.variants) {
        domain.push_back(variant.name);
        range.push_back(variant.is_control && of_controls != nullptr ? of_controls : values[next % values.size()]);
        ++next;
    }
    return {{"domain", std::move(domain)}, {"range", std::move(range)}};
}

Json colour(const Comparison& c) {
    return {{"field", "variant"},
            {"type", "nominal"},
            {"title", nullptr},
            {"scale", variant_scale(c, palette, control_colour)},
            {"legend", {{"orient", "top"}, {"symbolOpacity", 1}}}};
}

Json shape(const Comparison& c) {
    return {{"field", "variant"},
            {"type", "nominal"},
            {"title", nullptr},
            {"scale", variant_scale(c, shapes, nullptr)},
            {"legend", {{"orient", "top"}, {"symbolOpacity", 1}}}};
}

Json linear_axis(const std::string& field, const std::string& title, const char* format) {
    return {{"field", field},
            {"type", "quantitative"},
            {"title", title},
            {"scale", {{"zero", false}, {"nice", false}, {"padding", 8}}},
            {"axis", {{"format", format}, {"minExtent", 44}, {"tickCount", 6}}}};
}

Json data_of(const char* name) { return {{"name", name}}; }

Chart loss_chart(const Comparison& c) {
    Range range;
    for (const auto& point : c.headline().points) { range.include(std::exp(point.ln_cost)); }
    const auto numbers = c.headline().axis == CostAxis::parameters ? AxisNumbers::prefixed : AxisNumbers::exponential;
    const Json x = log_axis("cost", cost_title(c.headline().axis), range, numbers);
    const Json y = loss_axis("validation loss, nats per token");
    Json lines = {{"data", data_of("attention_lines")},
                  {"mark", {{"type", "line"}, {"strokeWidth", 1.8}}},
                  {"encoding", {{"x", x}, {"y", y}, {"color", colour(c)}}}};
    Json points = {
        {"data", data_of("attention_points")},
        {"mark", {{"type", "point"}, {"filled", true}, {"size", 46}, {"opacity", 0.9}}},
        {"encoding",
         {{"x", x},
          {"y", y},
          {"color", colour(c)},
          {"shape", shape(c)},
          {"tooltip", tooltip({{"variant", "attention", ""}, {"cost", "cost", ".3e"}, {"loss", "loss", ".4f"}})}}}};
    Json spec = spec_of(360);
    spec["layer"] = {std::move(lines), std::move(points)};
    return {"attention-loss", spec.dump()};
}

Chart multiplier_chart(const Comparison& c) {
    Json order = Json::array();
    for (std::size_t v = 1; v < c.variants.size(); ++v) { order.push_back(c.variants[v].name); }
    // Offsets give each stated loss a line of its own where a variant has several.
    const Json y = {{"field", "variant"},
                    {"type", "nominal"},
                    {"title", nullptr},
                    {"sort", order},
                    {"axis", {{"labelFontSize", 12}, {"ticks", false}, {"domain", false}}}};
    const Json offset = {{"field", "loss"}, {"type", "nominal"}};
    Json x = linear_axis(
        "value", std::string{"compute multiplier over "} + c.variants.front().name + ", right is cheaper", "~g");
    x["axis"].erase("minExtent");
    Json one = {{"data", {{"values", Json::array({Json{{"one", 1}}})}}},
                {"mark", {{"type", "rule"}, {"color", "#888"}, {"strokeDash", Json::array({4, 3})}}},
                {"encoding", {{"x", {{"field", "one"}, {"type", "quantitative"}}}}}};
    Json low = x;
    low["field"] = "low";
    Json bars = {
        {"data", data_of("attention_multipliers")},
        {"mark", {{"type", "rule"}, {"strokeWidth", 2}}},
        {"encoding", {{"x", low}, {"x2", {{"field", "high"}}}, {"y", y}, {"yOffset", offset}, {"color", colour(c)}}}};
    Json points = {{"data", data_of("attention_multipliers")},
                   {"mark", {{"type", "point"}, {"filled", true}, {"size", 70}, {"opacity", 1}}},
                   {"encoding",
                    {{"x", x},
                     {"y", y},
                     {"yOffset", offset},
                     {"color", colour(c)},
                     {"tooltip", tooltip({{"variant", "attention", ""},
                                          {"loss", "stated", ""},
                                          {"value", "multiplier", ".3f"},
                                          {"low", "95% from", ".3f"},
                                          {"high", "to", ".3f"}})}}}};
    for (Json* layer : {&bars, &points}) { (*layer)["encoding"]["color"]["legend"] = nullptr; }
    const auto rows = (c.variants.size() - 1) * c.options.losses.size();
    Json spec = spec_of(static_cast<int>(40 + 26 * rows));
    spec["layer"] = {std::move(one), std::move(bars), std::move(points)};
    return {"attention-multipliers", spec.dump()};
}

Chart position_chart(const Comparison& c, const char* id, const char* field, const std::string& title, int height) {
    Json spec = spec_of(height);
    spec["data"] = data_of("attention_positions");
    Json x = linear_axis("position", c.context ? "position in the window, tokens" : "part of the window", "~s");
    x["axis"].erase("minExtent");
    spec["encoding"] = {{"x", std::move(x)},
                        {"y", linear_axis(field, title, "~g")},
                        {"color", colour(c)},
                        {"tooltip", tooltip({{"variant", "attention", ""},
                                             {"position", "position", ".0f"},
                                             {"loss", "loss", ".4f"},
                                             {"difference", "difference", "+.4f"}})}};
    spec["mark"] = {{"type", "line"}, {"strokeWidth", 1.8}, {"point", {{"size", 26}, {"filled", true}}}};
    if (std::string_view{field} == "difference") { spec["encoding"]["color"]["legend"] = nullptr; }
    return {id, spec.dump()};
}

Chart rate_chart(const Comparison& c) {
    Range range;
    for (const auto& variant : c.variants) {
        for (const auto* curves : {&variant.tuning.search, &variant.tuning.recheck}) {
            for (const auto& curve : *curves) {
                for (const auto& point : curve.points) { range.include(point.lr); }
            }
        }
    }
    Json x = log_axis("lr", "peak learning rate", range, AxisNumbers::exponential);
    const Json y = loss_axis("validation loss, nats per token");
    const Json dash = {{"field", "round"}, {"type", "nominal"}, {"title", nullptr}, {"legend", {{"orient", "top"}}}};
    const Json tips =
        tooltip({{"variant", "attention", ""}, {"round", "round", ""}, {"lr", "lr", "~g"}, {"loss", "loss", ".4f"}});
    Json lines = {{"mark", {{"type", "line"}, {"strokeWidth", 1.6}}},
                  {"encoding", {{"x", x}, {"y", y}, {"color", colour(c)}, {"strokeDash", dash}}}};
    const Json encoding = {{"x", x},
                           {"y", y},
                           {"color", colour(c)},
                           {"detail", {{"field", "round"}, {"type", "nominal"}}},
                           {"tooltip", tips}};
    const auto points = [&](const char* filter, bool filled) {
        return Json{
            {"transform", Json::array({Json{{"filter", filter}}})},
            {"mark", {{"type", "point"}, {"size", 44}, {"strokeWidth", 1.5}, {"filled", filled}, {"opacity", 1}}},
            {"encoding", encoding}};
    };
    Json spec = spec_of(300);
    spec["data"] = data_of("attention_rates");
    spec["layer"] = {std::move(lines), points("!datum.best", false), points("datum.best", true)};
    return {"attention-rates", spec.dump()};
}

Chart speed_chart(const Comparison& c, const char* id, const char* field, const std::string& title, bool legend) {
    Range sizes, values;
    for (const auto& variant : c.variants) {
        for (const auto& size : variant.sizes) {
            sizes.include(size.parameters);
            const bool speed = std::string_view{field} == "tokens_per_second";
            values.include(speed ? size.tokens_per_second.value_or(0) : size.peak_memory_bytes.value_or(0) / (1 << 20));
        }
    }
    Json y = log_axis(field, title, values, AxisNumbers::prefixed);
    y["axis"]["minExtent"] = 44;
    Json spec = spec_of(220);
    spec["data"] = data_of("attention_speed");
    spec["mark"] = {{"type", "line"}, {"strokeWidth", 1.5}, {"point", {{"size", 44}, {"filled", true}}}};
    spec["encoding"] = {{"x", log_axis("N", "N, non-embedding parameters", sizes, AxisNumbers::prefixed)},
                        {"y", std::move(y)},
                        {"color", colour(c)},
                        {"tooltip", tooltip({{"variant", "attention", ""},
                                             {"N", "N", ".4s"},
                                             {"tokens_per_second", "tokens/s", ".4s"},
                                             {"memory", "memory, MiB", ".4s"}})}};
    if (!legend) { spec["encoding"]["color"]["legend"] = nullptr; }
    return {id, spec.dump()};
}

template <class Has>
bool any_size(const Comparison& c, const Has& has) {
    return std::any_of(c.variants.begin(), c.variants.end(), [&](const VariantResult& variant) {
        return std::any_of(variant.sizes.begin(), variant.sizes.end(), has);
    });
}

void add_speed(const Comparison& c, std::vector<Chart>& charts) {
    if (any_size(c, [](const SizeResult& size) { return size.tokens_per_second.has_value(); })) {
        charts.push_back(speed_chart(c, "attention-speed", "tokens_per_second", "tokens per second", true));
    }
    if (any_size(c, [](const SizeResult& size) { return size.peak_memory_bytes.value_or(0) > 0; })) {
        charts.push_back(speed_chart(c, "attention-memory", "memory", "peak memory, MiB", charts.empty()));
    }
}

}  // namespace

std::vector<Figure> attention_figures(const Comparison& c) {
    const std::string baseline = c.variants.front().name;
    std::vector<Figure> list;
    const auto add = [&](const std::string& title, const std::string& caption, std::vector<Chart> charts) {
        list.push_back({title, caption, std::move(charts), "attention"});
    };
    add("Loss over compute, by attention",
        fmt::format("Final validation losses, one point a run, and the laws fitted to all variants at once ({}).",
                    to_text(c.headline().fit.sharing)),
        {loss_chart(c)});
    add("Compute multipliers",
        fmt::format("The FLOPs that {} needs for a loss over those that the variant needs, with 95% intervals. Grey: "
                    "the control, a second copy of {}, whose interval must hold 1.",
                    baseline, baseline),
        {multiplier_chart(c)});
    const auto& reference = c.variants.front().sizes.back();
    if (reference.loss_by_position.size() > 1) {
        add("Loss by position in the window",
            fmt::format("Largest size ({}), means over seeds. Below: minus {}'s.",
                        c.sizes[static_cast<std::size_t>(reference.size)].name(), baseline),
            {position_chart(c, "attention-position", "loss", "loss, nats per token", 240),
             position_chart(c, "attention-position-difference", "difference", "difference", 130)});
    }
    const bool tuned = std::any_of(c.variants.begin(), c.variants.end(), [](const VariantResult& variant) {
        return std::any_of(variant.tuning.search.begin(), variant.tuning.search.end(),
                           [](const RateCurve& curve) { return curve.best.has_value(); });
    });
    if (tuned) {
        add("Learning rates",
            "Loss by peak learning rate, each variant's own search and its re-check; filled: the best.",
            {rate_chart(c)});
    }
    std::vector<Chart> speed;
    add_speed(c, speed);
    if (!speed.empty()) {
        add("Speed and memory", "Of training on the machines used: medians over seeds, and the largest memory.",
            std::move(speed));
    }
    return list;
}

}  // namespace loglog
