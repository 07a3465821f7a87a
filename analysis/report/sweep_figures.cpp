#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "analysis/report/chart_parts.hpp"
#include "analysis/report/drawable.hpp"
#include "analysis/report/drawing.hpp"
#include "analysis/report/quantity.hpp"
#include "analysis/report/thin.hpp"
#include "analysis/report/utilisation.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

const std::vector<std::string> state_colours{"#009E73", "#D55E00", "#CC79A7", "#E69F00", "#8A8F96"};
const std::vector<std::string> states{"ok", "diverged", "failed", "stopped", "busy"};
constexpr std::size_t fewest_rates = 3;

/// What a run's mark tells of it, whether it can be fitted or not.
Json named(const RunRecord& record) {
    Json row = {{"run", record.id}};
    if (record.non_embedding_params) { row["N"] = *record.non_embedding_params; }
    if (record.tokens) { row["D"] = *record.tokens; }
    if (record.flops) { row["C"] = *record.flops; }
    if (record.final_val_loss) { row["loss"] = rounded(*record.final_val_loss, 6); }
    return row;
}

struct RateGroup {
    std::map<double, std::vector<const RunRecord*>> by_rate;

    double mean_loss(double rate) const {
        double sum = 0;
        const auto& runs = by_rate.at(rate);
        for (const auto* run : runs) { sum += *run->final_val_loss; }
        return sum / static_cast<double>(runs.size());
    }
};

using RateKey = std::tuple<std::string, double, double>;  // attention, N, D

std::map<RateKey, RateGroup> rate_groups(const Report& report) {
    std::map<RateKey, RateGroup> groups;
    for (const auto& run : report.input.runs) {
        const RunRecord& r = run.record;
        if (!can_be_fitted(r) || !r.lr || !(*r.lr > 0)) { continue; }
        groups[{r.attention, quantity(r, "N"), quantity(r, "D")}].by_rate[*r.lr].push_back(&r);
    }
    std::erase_if(groups, [](const auto& group) { return group.second.by_rate.size() < fewest_rates; });
    return groups;
}

/// "20 k parameters, 1 M tokens", the attention too where there are several.
std::string group_label(const RateKey& key, bool several_kinds) {
    const auto& [attention, n, d] = key;
    return fmt::format("{}{}, {} tokens", several_kinds ? attention + ", " : "", with_prefix(n), with_prefix(d));
}

Chart rate_chart(const std::vector<std::string>& labels, const Range& rates) {
    const Json x = log_axis("lr", "peak learning rate", rates, AxisNumbers::exponential);
    const Json y = loss_axis("validation loss, nats per token");
    Json colour = series_colour("label", labels, colour_sequence(labels.size()));
    colour["legend"]["columns"] = 4;
    Json lines = {{"data", {{"name", "rate_lines"}}},
                  {"mark", {{"type", "line"}, {"strokeWidth", 1.6}}},
                  {"encoding", {{"x", x}, {"y", y}, {"color", colour}}}};
    const auto points = [&](const char* filter, bool filled) {
        return Json{{"data", {{"name", "rates"}}},
                    {"transform", Json::array({Json{{"filter", filter}}})},
                    {"mark",
                     {{"type", "point"},
                      {"size", 48},
                      {"strokeWidth", 1.5},
                      {"filled", filled},
                      {"opacity", 1},
                      {"cursor", "pointer"}}},
                    {"encoding",
                     {{"x", x},
                      {"y", y},
                      {"color", colour},
                      {"tooltip", run_tooltip({{"lr", "lr", "~g"}, {"seed", "seed", ""}})}}}};
    };
    Json others = points("!datum.best", false);
    Json best = points("datum.best", true);
    filter_by_legend("label", lines, {&others, &best});
    Json spec = spec_of(320);
    spec["layer"] = {std::move(lines), std::move(others), std::move(best)};
    return {"learning-rates", spec.dump()};
}

Chart probe_chart(const std::vector<std::string>& kinds, const Range& states_range) {
    const std::vector<std::string> colours{"#2F7FBF", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8F7A00"};
    std::vector<std::string> range;
    for (std::size_t i = 0; i < kinds.size(); ++i) { range.push_back(colours[i % colours.size()]); }
    const Json x =
        log_axis("state_floats", "state that a full window leaves, numbers", states_range, AxisNumbers::prefixed);
    const Json y = {{"field", "accuracy"},
                    {"type", "quantitative"},
                    {"title", "accuracy, share of targets"},
                    {"scale", {{"domain", {0, 1}}}},
                    {"axis", {{"format", ".0%"}, {"minExtent", 44}, {"tickCount", 6}}}};
    const Json colour = series_colour("attention", kinds, range);
    Json lines = {{"data", {{"name", "probe_lines"}}},
                  {"mark", {{"type", "line"}, {"strokeWidth", 1.6}}},
                  {"encoding", {{"x", x}, {"y", y}, {"color", colour}}}};
    Json points = {
        {"data", {{"name", "probes"}}},
        {"mark", {{"type", "point"}, {"filled", true}, {"size", 50}, {"opacity", 0.8}, {"cursor", "pointer"}}},
        {"encoding",
         {{"x", x},
          {"y", y},
          {"color", colour},
          {"tooltip", run_tooltip({{"attention", "attention", ""},
                                   {"accuracy", "accuracy", ".1%"},
                                   {"state_floats", "state", ".4s"},
                                   {"lr", "lr", "~g"}})}}}};
    filter_by_legend("attention", points, {&lines});
    Json spec = spec_of(300);
    spec["layer"] = {std::move(lines), std::move(points)};
    return {"probes", spec.dump()};
}

Chart timeline_chart(const Utilisation& use) {
    Json bars = {
        {"data", {{"name", "timeline"}}},
        {"mark",
         {{"type", "bar"},
          {"height", {{"band", 0.8}}},
          {"stroke", "#888"},
          {"strokeWidth", 0.4},
          {"cursor", "pointer"}}},
        {"encoding",
         {{"x", {{"field", "start"}, {"type", "quantitative"}, {"title", "time, " + use.unit}}},
          {"x2", {{"field", "end"}}},
          {"y",
           {{"field", "lane"},
            {"type", "nominal"},
            {"title", nullptr},
            {"sort", use.lanes},
            {"axis", {{"ticks", false}, {"domain", false}, {"labelLimit", 160}}}}},
          {"color", series_colour("state", states, state_colours)},
          {"tooltip", run_tooltip({{"state", "state", ""}, {"start", "from", ".4~g"}, {"end", "to", ".4~g"}})}}}};
    filter_by_legend("state", bars);
    Json spec = spec_of(static_cast<int>(std::clamp<std::size_t>(30 + 20 * use.lanes.size(), 80, 640)));
    spec.update(bars);
    return {"timeline", spec.dump()};
}

}  // namespace

void add_learning_rates(const Report& report, const SizeClasses&, Drawing& drawing) {
    const auto groups = rate_groups(report);
    if (groups.empty()) { return; }
    std::set<std::string> kinds;
    for (const auto& [key, group] : groups) { kinds.insert(std::get<0>(key)); }
    Json points = Json::array(), lines = Json::array();
    std::vector<std::string> labels;
    Range rates;
    std::size_t at_edge = 0;
    for (const auto& [key, group] : groups) {
        labels.push_back(group_label(key, kinds.size() > 1));
        double best = 0;
        for (const auto& [rate, runs] : group.by_rate) {
            rates.include(rate);
            if (best == 0 || group.mean_loss(rate) < group.mean_loss(best)) { best = rate; }
            lines.push_back({{"label", labels.back()}, {"lr", rate}, {"loss", rounded(group.mean_loss(rate), 6)}});
        }
        if (best == group.by_rate.begin()->first || best == group.by_rate.rbegin()->first) { ++at_edge; }
        for (const auto& [rate, runs] : group.by_rate) {
            for (const RunRecord* run : runs) {
                Json row = named(*run);
                row.update({{"label", labels.back()}, {"lr", rate}, {"best", rate == best}});
                if (run->seed) { row["seed"] = *run->seed; }
                points.push_back(std::move(row));
            }
        }
    }
    drawing.sets["rates"] = std::move(points);
    drawing.sets["rate_lines"] = std::move(lines);
    std::string caption =
        "Loss by peak learning rate, where a size and token count was trained with three rates or more. Lines: means "
        "over seeds; filled: the best rate.";
    if (at_edge > 0) {
        caption += fmt::format(
            " In {} of {} the best rate is the lowest or highest that was tried: the optimum may lie "
            "beyond.",
            at_edge, groups.size());
    }
    drawing.figures.push_back({"Learning-rate valleys", caption, {rate_chart(labels, rates)}});
}

void add_probes(const Report& report, Drawing& drawing) {
    Json points = Json::array(), lines = Json::array();
    std::map<std::pair<std::string, double>, double> best;
    std::vector<std::string> kinds;
    Range range;
    for (const auto& run : report.input.runs) {
        const RunRecord& r = run.record;
        if (!r.accuracy || !run.state_floats || !(*run.state_floats > 0)) { continue; }
        if (std::find(kinds.begin(), kinds.end(), r.attention) == kinds.end()) { kinds.push_back(r.attention); }
        range.include(*run.state_floats);
        Json row = named(r);
        row.update(
            {{"attention", r.attention}, {"accuracy", rounded(*r.accuracy, 5)}, {"state_floats", *run.state_floats}});
        if (r.lr) { row["lr"] = *r.lr; }
        points.push_back(std::move(row));
        double& most = best[{r.attention, *run.state_floats}];
        most = std::max(most, *r.accuracy);
    }
    if (points.empty()) { return; }
    for (const auto& [key, accuracy] : best) {
        lines.push_back({{"attention", key.first}, {"state_floats", key.second}, {"accuracy", rounded(accuracy, 5)}});
    }
    std::sort(kinds.begin(), kinds.end());
    drawing.sets["probes"] = std::move(points);
    drawing.sets["probe_lines"] = std::move(lines);
    drawing.figures.push_back({"Probes: accuracy against the size of the state",
                               "Share of labelled targets whose token has the largest logit, at the last evaluation, "
                               "against what a full window leaves for the next token (keys and values seen, or the "
                               "recurrent state, of all layers). Lines: the best run of each state size.",
                               {probe_chart(kinds, range)}});
}

void add_timeline(const Report& report, const SizeClasses&, Drawing& drawing) {
    const auto use = utilisation_of(report);
    if (!use) { return; }
    std::map<std::string, const RunRecord*> records;
    for (const auto& run : report.input.runs) { records[run.record.id] = &run.record; }
    Json rows = Json::array();
    for (const auto& bar : use->bars) {
        Json row = named(*records.at(bar.run));
        row.update(
            {{"lane", bar.lane}, {"start", rounded(bar.start, 6)}, {"end", rounded(bar.end, 6)}, {"state", bar.state}});
        rows.push_back(std::move(row));
    }
    drawing.sets["timeline"] = std::move(rows);
    drawing.figures.push_back({"Utilisation of the machine", use->description, {timeline_chart(*use)}});
}

}  // namespace loglog
