#include <nlohmann/json.hpp>

#include "analysis/report/drawing.hpp"
#include "analysis/report/page.hpp"
#include "analysis/report/report.hpp"
#include "analysis/report/tables.hpp"
#include "db/files/publish.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

void write(const fs::path& file, const std::string& text) { write_file(file, text, Durability::process); }

/// Puts a reference to the CSV file wherever a spec draws curves, and notes the other data sets' names.
void resolve_data(Json& node, const std::string& curves_url, std::vector<std::string>& names) {
    if (node.is_object() && node.contains("data") && node["data"].contains("name")) {
        const auto name = node["data"]["name"].get<std::string>();
        if (name == "curves" || name == "validation_curves") {
            node["data"] = {{"url", curves_url}};
        } else {
            names.push_back(name);
        }
    }
    for (auto& child : node) {
        if (child.is_structured()) { resolve_data(child, curves_url, names); }
    }
}

/// A spec that stands alone: small data sets inside, curves by reference to the CSV file.
Json standalone(const Chart& chart, const Json& sets, const std::string& curves_url) {
    Json spec = Json::parse(chart.spec);
    std::vector<std::string> names;
    resolve_data(spec, curves_url, names);
    for (const auto& name : names) { spec["datasets"][name] = sets.at(name); }
    return spec;
}

}  // namespace

ReportFiles write_report(const Report& report, const fs::path& page) {
    const fs::path folder = page.parent_path();
    const std::string stem = page.stem().string();
    std::error_code failure;
    fs::create_directories(folder / "charts", failure);
    if (failure) { throw Error{"cannot create " + (folder / "charts").string() + ": " + failure.message()}; }

    ReportFiles files{
        page, folder / (stem + ".json"), folder / (stem + "-runs.csv"), folder / (stem + "-curves.csv"), {}};
    write(files.numbers, to_json(report));
    write(files.runs, runs_csv(report));
    write(files.curves, curves_csv(curve_columns(report)));
    const Drawing drawing = draw(report);
    for (const auto& figure : drawing.figures) {
        for (const auto& chart : figure.charts) {
            files.charts.push_back(folder / "charts" / (chart.id + ".vl.json"));
            write(files.charts.back(),
                  standalone(chart, drawing.sets, "../" + files.curves.filename().string()).dump(1) + "\n");
        }
    }
    write(files.page, render_page(report, drawing));
    return files;
}

}  // namespace loglog
