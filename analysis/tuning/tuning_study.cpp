#include "analysis/tuning/tuning_study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/laws/law_choice.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr double tokens_per_parameter = 20;  // Hoffmann et al. 2022, table 3

std::vector<TuningRun> runs_of(const Dataset& data, const TuningQuestion& question) {
    std::vector<std::size_t> columns;
    for (const char* quantity : {"N", "D", "lr", "loss"}) {
        columns.push_back(find_column(data, quantity, question.mapping));
    }
    const bool with_batch = has_column(data, "batch", question.mapping);
    if (with_batch) { columns.push_back(find_column(data, "batch", question.mapping)); }
    const auto numbers = positive_columns(data, columns);
    std::vector<TuningRun> runs;
    for (std::size_t i = 0; i < numbers[0].size(); ++i) {
        runs.push_back({numbers[0][i], numbers[1][i], numbers[2][i], with_batch ? numbers[4][i] : 0, numbers[3][i]});
    }
    return runs;
}

double variable(const CellOptimum& cell, const std::string& name) {
    if (name == "N") { return cell.n; }
    return name == "D" ? cell.d : 6 * cell.n * cell.d;
}

/// A power law of `variables` through one hyper-parameter's optima.
Inference law_of(const std::vector<CellOptimum>& cells, const std::vector<std::string>& variables,
                 std::optional<double> CellOptimum::*optimum, InferenceOptions options) {
    std::vector<std::vector<double>> columns(variables.size());
    std::vector<double> measured;
    for (const auto& cell : cells) {
        if (!(cell.*optimum)) { continue; }
        for (std::size_t k = 0; k < variables.size(); ++k) { columns[k].push_back(variable(cell, variables[k])); }
        measured.push_back(*(cell.*optimum));
        options.ids.push_back(fmt::format("N={:.4g}, D={:.4g}", cell.n, cell.d));
    }
    const std::vector<std::span<const double>> spans(columns.begin(), columns.end());
    LawChoice choice;
    choice.one_variable = variables.size() == 1;
    const auto law = choose_law("lr", choice);
    options.variable = variables.front();
    Inference inference = infer(*law, make_points(spans, measured), options);
    inference.chosen = law;
    return inference;
}

std::vector<Warning> caveats(const std::vector<CellOptimum>& cells) {
    std::vector<Warning> found;
    std::string left_out;
    std::string at_edge;
    std::size_t missing = 0;
    std::size_t edges = 0;
    for (const auto& cell : cells) {
        const std::string name = fmt::format("N={:.4g}, D={:.4g}", cell.n, cell.d);
        if (!cell.problem.empty()) {
            left_out += fmt::format("{}{}: {}", missing++ > 0 ? "; " : "", name, cell.problem);
        } else if (cell.best_at_edge) {
            at_edge += (edges++ > 0 ? "; " : "") + name;
        }
    }
    if (missing > 0) {
        found.push_back(
            {"cells_left_out", fmt::format("{} of {} cells have no optimum ({})", missing, cells.size(), left_out)});
    }
    if (edges > 0) {
        found.push_back({"optimum_at_edge", fmt::format("the best run of {} cells has the smallest or largest value "
                                                        "tried, so that the optimum may lie beyond it ({})",
                                                        edges, at_edge)});
    }
    return found;
}

void require_optima(const Dataset& data, const std::vector<CellOptimum>& cells) {
    const auto found = std::count_if(cells.begin(), cells.end(), [](const auto& cell) { return cell.lr.has_value(); });
    if (found >= 3) { return; }
    std::string reason;
    for (const auto& cell : cells) {
        if (!cell.problem.empty()) { reason = fmt::format("; N={:.4g}, D={:.4g}: {}", cell.n, cell.d, cell.problem); }
    }
    throw InputError{fmt::format("{}: {} of {} (N, D) cells have an optimum; at least 3 are wanted{}", data.source,
                                 found, cells.size(), reason)};
}

}  // namespace

TuningStudy study_tuning(const Dataset& data, const TuningQuestion& question) {
    if (!question.x.empty() && question.x != "N" && question.x != "D" && question.x != "C") {
        throw InputError{"--x '" + question.x + "' must be N, D or C for the law tuning"};
    }
    TuningStudy study;
    study.cells = find_cell_optima(runs_of(data, question), question.cells);
    require_optima(data, study.cells);
    study.warnings = caveats(study.cells);

    InferenceOptions of_batch = question.inference;
    if (question.x.empty()) {
        for (double& budget : of_batch.budgets) {  // the law of D is asked for the tokens that the budget buys
            budget = std::sqrt(budget * tokens_per_parameter / 6);
        }
    }
    using Names = std::vector<std::string>;
    const Names lr_variables = question.x.empty() ? Names{"N", "D"} : Names{question.x};
    const Names batch_variables = question.x.empty() ? Names{"D"} : Names{question.x};
    study.lr = law_of(study.cells, lr_variables, &CellOptimum::lr, question.inference);
    const bool has_batch =
        std::any_of(study.cells.begin(), study.cells.end(), [](const auto& cell) { return cell.batch.has_value(); });
    if (has_batch) { study.batch = law_of(study.cells, batch_variables, &CellOptimum::batch, of_batch); }
    return study;
}

}  // namespace loglog
