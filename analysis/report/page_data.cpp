#include "analysis/report/page_data.hpp"

#include <algorithm>
#include <map>
#include <type_traits>

#include "analysis/report/thin.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;
using Values = std::map<std::string, Json>;  // dotted path -> value

void flatten(const Json& node, const std::string& path, Values& values) {
    if (!node.is_object()) {
        values[path] = node;
        return;
    }
    for (const auto& [key, child] : node.items()) { flatten(child, path.empty() ? key : path + "." + key, values); }
}

/// The value that most runs have at each path that most runs have.
Values common_values(const std::vector<Values>& specs) {
    std::map<std::string, std::map<std::string, std::size_t>> counts;  // path -> JSON text -> runs
    for (const auto& spec : specs) {
        for (const auto& [path, value] : spec) {
            ++counts[path][value.dump(-1, ' ', false, Json::error_handler_t::replace)];
        }
    }
    Values common;
    for (const auto& [path, values] : counts) {
        const auto most = std::max_element(values.begin(), values.end(), [](const auto& left, const auto& right) {
            return left.second < right.second;
        });
        if (2 * most->second > specs.size()) { common[path] = Json::parse(most->first); }
    }
    return common;
}

/// Many runs differ in a few values: sharing the rest makes their specifications a tenth of the size.
Json spec_columns(const Report& report) {
    std::vector<Values> specs;
    for (const auto& run : report.input.runs) {
        const Json spec = Json::parse(run.record.spec, nullptr, /*allow_exceptions=*/false);
        specs.emplace_back();
        if (spec.is_object()) { flatten(spec, "", specs.back()); }
    }
    const Values common = common_values(specs);
    Json own = Json::object();
    for (std::size_t i = 0; i < specs.size(); ++i) {
        Json differences = Json::object();
        for (const auto& [path, value] : specs[i]) {
            const auto shared = common.find(path);
            if (shared == common.end() || shared->second != value) { differences[path] = value; }
        }
        for (const auto& [path, value] : common) {
            if (!specs[i].empty() && !specs[i].contains(path)) { differences[path] = nullptr; }
        }
        if (!differences.empty()) { own[report.input.runs[i].record.id] = std::move(differences); }
    }
    Json shared = Json::object();
    for (const auto& [path, value] : common) { shared[path] = value; }
    return {{"common", std::move(shared)}, {"own", std::move(own)}};
}

/// What the panel and the tooltips tell of each run: N, D, C, loss, and the view's other numbers that are known.
Json run_facts(const Report& report) {
    Json runs = Json::array();
    for (const auto& run : report.input.runs) {
        const RunRecord& r = run.record;
        Json facts = {{"id", r.id}, {"name", r.name}, {"state", to_text(r.state)}};
        const auto add = [&](const char* name, const auto& value) {
            using Value = std::remove_cvref_t<decltype(value)>;
            if constexpr (std::is_same_v<Value, std::string>) {
                if (!value.empty()) { facts[name] = value; }
            } else if constexpr (std::is_same_v<Value, std::optional<double>>) {
                if (value) { facts[name] = rounded(*value, 6); }
            } else {
                if (value) { facts[name] = *value; }
            }
        };
        add("reason", r.state_reason);
        add("N", r.non_embedding_params);
        add("D", r.tokens);
        add("C", r.flops);
        add("loss", r.final_val_loss);
        add("train_loss", r.final_train_loss);
        add("bits_per_byte", r.bits_per_byte);
        add("accuracy", r.accuracy);
        add("family", r.family);
        add("attention", r.attention);
        add("layers", r.layers);
        add("width", r.width);
        add("heads", r.heads);
        add("lr", r.lr);
        add("seed", r.seed);
        add("steps", r.steps);
        add("seconds", r.seconds);
        add("tokens_per_second", r.tokens_per_second);
        add("share_of_peak", r.share_of_peak);
        add("host", r.host);
        add("finished_at", r.finished_at);
        runs.push_back(std::move(facts));
    }
    return runs;
}

}  // namespace

std::string page_data(const Report& report, const Drawing& drawing) {
    Json charts = Json::array();
    for (const auto& figure : drawing.figures) {
        for (const auto& chart : figure.charts) {
            Json spec = Json::parse(chart.spec);
            spec["description"] =
                figure.title + (chart.label.empty() ? "" : " against " + chart.label) + ". " + figure.caption;
            charts.push_back({{"id", chart.id}, {"spec", std::move(spec)}});
        }
    }
    const Json data = {{"datasets", drawing.sets},
                       {"curves", curve_columns(report)},
                       {"charts", std::move(charts)},
                       {"runs", run_facts(report)},
                       {"specs", spec_columns(report)}};
    return data.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace loglog
