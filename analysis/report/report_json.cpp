#include <nlohmann/json.hpp>

#include "analysis/report/report.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

/// Every id with what it stands for; runs by reference to the sets they form, since many groups share one.
void add_sources(Json& root, const Report& report) {
    root["number_sources"] = Json::array();
    Json sets = Json::object();
    for (const auto& source : report.sources) {
        std::string members;
        for (const auto& run : source.runs) { members += run + '\n'; }
        const std::string set = short_hash(members);
        sets[set] = source.runs;
        Json options = Json::object();
        for (const auto& [name, value] : source.options) { options[name] = value; }
        root["number_sources"].push_back({{"id", source.id},
                                          {"of", source.of},
                                          {"runs", source.runs.size()},
                                          {"run_set", set},
                                          {"data", source.data},
                                          {"code", source.code},
                                          {"options", std::move(options)}});
    }
    root["run_sets"] = std::move(sets);
}

Json warning_rows(const std::vector<Warning>& warnings) {
    Json rows = Json::array();
    for (const auto& [code, text] : warnings) { rows.push_back({{"code", code}, {"text", text}}); }
    return rows;
}

}  // namespace

std::string to_json(const Report& report) {
    Json root;
    root["title"] = report.input.title;
    root["created_at"] = report.input.created_at;
    root["program_version"] = report.input.program_version;
    root["selection"] = report.input.selection;
    root["number_id"] = number_id(report, "page");
    root["runs"] = {{"chosen", report.input.runs.size()}, {"left_out", report.excluded.size()}};
    root["findings"] = findings(report);
    root["fits"] = Json::array();
    for (const auto& fit : report.fits) {
        Json one = {{"id", fit.id}, {"number_id", number_id(report, fit.id)}, {"variable", fit.variable}};
        one["count"] = fit.count ? Json(to_text(*fit.count)) : Json(nullptr);
        if (fit.inference) {
            one["fit"] = Json::parse(to_json(*fit.inference));
        } else {
            one["fit"] = nullptr;
            one["failure"] = fit.failure;
        }
        root["fits"].push_back(std::move(one));
    }
    root["fitted_attention"] = report.fitted_attention.empty() ? Json(nullptr) : Json(report.fitted_attention);
    root["comparison"] = report.comparison ? Json::parse(to_json(*report.comparison)) : Json(nullptr);
    if (report.comparison) { root["comparison"]["number_id"] = number_id(report, "comparison"); }
    if (!report.comparison_failure.empty()) { root["comparison_failure"] = report.comparison_failure; }
    root["excluded"] = Json::array();
    for (const auto& [id, reason] : report.excluded) { root["excluded"].push_back({{"id", id}, {"reason", reason}}); }
    root["warnings"] = warning_rows(report.warnings);
    root["environment"] = report.input.environment.empty()
                              ? Json(nullptr)
                              : Json::parse(report.input.environment, nullptr, /*allow_exceptions=*/false);
    if (root["environment"].is_discarded()) { root["environment"] = nullptr; }
    root["commands"] = report.input.commands;
    add_sources(root, report);
    return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace loglog
