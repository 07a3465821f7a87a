#include "db/import/tracker_exports.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace loglog {
namespace {

constexpr std::string_view separator = " - ";

bool is_extreme(std::string_view column) { return column.ends_with("__MIN") || column.ends_with("__MAX"); }

/// Run and metric of a column; a run's name may itself hold the separator, a metric's seldom does.
std::pair<std::string, std::string> run_and_metric(const std::string& column) {
    const std::size_t at = column.rfind(separator);
    if (at == std::string::npos) { return {}; }
    return {column.substr(0, at), column.substr(at + separator.size())};
}

}  // namespace

bool is_wandb_chart(const ImportTable& table) {
    if (table.columns.size() < 2) { return false; }
    return std::all_of(table.columns.begin() + 1, table.columns.end(),
                       [](const std::string& column) { return column.find(separator) != std::string::npos; });
}

ImportTable rows_of_wandb_chart(const ImportTable& table) {
    ImportTable result{table.source, {"run", table.columns.front()}, {}, table.notes, table.problems};
    std::map<std::string, std::size_t> position;                                      // of a metric in the result
    std::vector<std::string> runs;                                                    // in the file's order
    std::map<std::string, std::vector<std::pair<std::size_t, std::size_t>>> columns;  // run -> (from, to)
    std::size_t extremes = 0;
    for (std::size_t i = 1; i < table.columns.size(); ++i) {
        if (is_extreme(table.columns[i])) {
            ++extremes;
            continue;
        }
        const auto [run, metric] = run_and_metric(table.columns[i]);
        if (metric == "_step") { continue; }  // repeats the first column
        const auto [found, is_new] = position.try_emplace(metric, result.columns.size());
        if (is_new) { result.columns.push_back(metric); }
        if (!columns.contains(run)) { runs.push_back(run); }
        columns[run].emplace_back(i, found->second);
    }
    for (const std::string& run : runs) {
        for (const auto& row : table.rows) {
            ImportTable::Row one{row.place, std::vector<std::string>(result.columns.size())};
            one.cells[0] = run;
            one.cells[1] = row.cells.front();
            bool measured = false;
            for (const auto& [from, to] : columns[run]) {
                one.cells[to] = row.cells[from];
                measured = measured || !says_nothing(row.cells[from]);
            }
            if (measured) { result.rows.push_back(std::move(one)); }
        }
    }
    if (extremes > 0) {
        result.notes.push_back(table.source + ": " + std::to_string(extremes) +
                               " columns __MIN and __MAX were passed over: they repeat the values, or tell the spread "
                               "of what the chart merged");
    }
    return result;
}

bool is_mlflow_export(const ImportTable& table) {
    const auto has_prefix = [](const std::string& name) {
        return name.starts_with("params.") || name.starts_with("metrics.");
    };
    const auto is_id = [](const std::string& name) { return name == "run_id" || name == "Run ID"; };
    return std::any_of(table.columns.begin(), table.columns.end(), is_id) &&
           std::any_of(table.columns.begin(), table.columns.end(), has_prefix);
}

}  // namespace loglog
