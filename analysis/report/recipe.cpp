#include "analysis/report/recipe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "analysis/report/column_text.hpp"
#include "analysis/report/html.hpp"
#include "analysis/report/identity.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

constexpr int recipe_format = 1;
constexpr std::string_view seal_before = "data-seal=\"";
constexpr std::string_view no_seal = "00000000";

bool is_remembered(std::string_view column) {
    return column != "id" && column != "spec" && column != "tags" && column != "folder";
}

Json options_json(const ReportOptions& options) {
    return {{"objective", to_string(options.objective)},
            {"delta", options.objective.delta},
            {"bootstrap", options.bootstrap.resamples},
            {"seed", static_cast<std::uint64_t>(options.bootstrap.seed)},
            {"baseline", options.baseline}};
}

/// The runs as columns; one that is the same in every run is written once.
Json runs_json(const Report& report) {
    std::vector<RememberedRun> runs;
    for (const auto& run : report.input.runs) { runs.push_back(remember(run)); }
    Json json = {{"id", Json::array()}, {"record", Json::array()}, {"curve", Json::array()}};
    for (const auto& run : runs) {
        json["id"].push_back(run.id);
        json["record"].push_back(run.print.record);
        json["curve"].push_back(run.print.curve);
    }
    Json columns = Json::object();
    for (std::size_t k = 0; k < remembered_columns().size(); ++k) {
        const bool is_same = std::all_of(runs.begin(), runs.end(),
                                         [&](const auto& run) { return run.values[k] == runs.front().values[k]; });
        Json& column = columns[remembered_columns()[k]];
        if (is_same && !runs.empty()) {
            column = runs.front().values[k];
        } else {
            for (const auto& run : runs) { column.push_back(run.values[k]); }
        }
    }
    json["columns"] = std::move(columns);
    return json;
}

std::vector<RememberedRun> parse_runs(const Json& json) {
    std::vector<RememberedRun> runs(json.at("id").size());
    for (std::size_t i = 0; i < runs.size(); ++i) {
        runs[i].id = json.at("id").at(i).get<std::string>();
        runs[i].print = {json.at("record").at(i).get<std::string>(), json.at("curve").at(i).get<std::string>()};
        for (const auto& name : remembered_columns()) {
            const auto found = json.at("columns").find(name);
            if (found == json.at("columns").end()) {
                runs[i].values.emplace_back();  // a column that the page's version did not have
            } else {
                runs[i].values.push_back((found->is_array() ? found->at(i) : *found).get<std::string>());
            }
        }
    }
    return runs;
}

ReportOptions parse_options(const Json& json) {
    ReportOptions options;
    options.objective = parse_objective(json.at("objective").get<std::string>(), json.at("delta").get<double>());
    options.bootstrap.resamples = json.at("bootstrap").get<int>();
    options.bootstrap.seed = Seed{json.at("seed").get<std::uint64_t>()};
    options.baseline = json.at("baseline").get<std::string>();
    return options;
}

/// STEM.json without what is elsewhere on the page or no number: the lists of runs left out of each fit.
Json embedded_numbers(const Report& report) {
    Json numbers = Json::parse(to_json(report));
    for (auto& fit : numbers["fits"]) {
        if (fit["fit"].is_object()) { fit["fit"].erase("excluded"); }
    }
    numbers.erase("environment");
    numbers.erase("commands");
    return numbers;
}

std::string script_element(std::string_view attributes, const Json& json) {
    return fmt::format("<script type=\"application/json\" {}>{}</script>\n", attributes,
                       escape_json_for_script(json.dump(-1, ' ', false, Json::error_handler_t::replace)));
}

/// Where the seal's characters begin; npos where the page has none.
std::size_t seal_position(const std::string& page) {
    const std::size_t element = page.find("id=\"report-recipe\" ");
    const std::size_t before = element == std::string::npos ? element : page.find(seal_before, element);
    if (before == std::string::npos || before + seal_before.size() + no_seal.size() > page.size()) {
        return std::string::npos;
    }
    return before + seal_before.size();
}

}  // namespace

const std::vector<std::string>& remembered_columns() {
    static const std::vector<std::string> columns = [] {
        std::vector<std::string> names = run_columns();
        std::erase_if(names, [](const std::string& name) { return !is_remembered(name); });
        return names;
    }();
    return columns;
}

RememberedRun remember(const ReportRun& run) {
    RememberedRun remembered{run.record.id, fingerprint(run), {}};
    visit_columns(run.record, [&](std::string_view name, const auto& member) {
        if (is_remembered(name)) { remembered.values.push_back(column_text(member)); }
    });
    return remembered;
}

std::string recipe_elements(const Report& report) {
    const Json recipe = {{"format", recipe_format},
                         {"title", report.input.title},
                         {"selection", report.input.selection},
                         {"created_at", report.input.created_at},
                         {"program_version", report.input.program_version},
                         {"analysis_version", analysis_version()},
                         {"program_binary", report.input.program_binary},
                         {"cpu", report.input.cpu},
                         {"options", options_json(report.options)},
                         {"commands", report.input.commands},
                         {"runs", runs_json(report)}};
    return script_element(fmt::format("id=\"report-recipe\" {}{}\"", seal_before, no_seal), recipe) +
           script_element("id=\"report-numbers\"", embedded_numbers(report));
}

Recipe parse_recipe(std::string_view json, const std::string& page) {
    try {
        const Json root = Json::parse(json);
        const int format = root.at("format").get<int>();
        if (format != recipe_format) {
            throw InputError{fmt::format("{}: its recipe has format {}, this version of loglog reads {}", page, format,
                                         recipe_format)};
        }
        const auto text = [&](const char* key) { return root.at(key).get<std::string>(); };
        Recipe recipe{text("title"),
                      text("selection"),
                      text("created_at"),
                      text("program_version"),
                      text("analysis_version"),
                      text("program_binary"),
                      text("cpu"),
                      parse_options(root.at("options")),
                      root.at("commands").get<std::vector<std::string>>(),
                      parse_runs(root.at("runs"))};
        if (recipe.runs.empty()) { throw InputError{page + ": its recipe lists no run"}; }
        return recipe;
    } catch (const nlohmann::json::exception& error) {
        throw InputError{page + ": its recipe is damaged: " + error.what()};
    }
}

std::string sealed(std::string page) {
    const std::size_t at = seal_position(page);
    if (at != std::string::npos) { page.replace(at, no_seal.size(), short_hash(page)); }
    return page;
}

bool seal_holds(const std::string& page) {
    const std::size_t at = seal_position(page);
    if (at == std::string::npos) { return false; }
    std::string unsealed = page;
    unsealed.replace(at, no_seal.size(), no_seal);
    return page.compare(at, no_seal.size(), short_hash(unsealed)) == 0;
}

}  // namespace loglog
