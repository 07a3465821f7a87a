#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "analysis/tuning/tuning_study.hpp"

namespace loglog {
namespace {

std::string number(const std::optional<double>& value) { return value ? fmt::format("{:.4g}", *value) : "-"; }

}  // namespace

std::string to_text(const TuningStudy& study) {
    std::string text;
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "optimum per cell, the minimum of a parabola in ln lr and ln batch:\n");
    fmt::format_to(out, "  {:>10}{:>12}{:>6}{:>6}{:>12}{:>12}{:>9}\n", "N", "D", "runs", "used", "lr", "batch", "loss");
    for (const auto& cell : study.cells) {
        fmt::format_to(out, "  {:>10.4g}{:>12.4g}{:>6}{:>6}{:>12}{:>12}{:>9}{}\n", cell.n, cell.d, cell.runs, cell.used,
                       number(cell.lr), number(cell.batch), number(cell.loss),
                       !cell.problem.empty() ? "  " + cell.problem
                       : cell.best_at_edge   ? "  best run at the grid's edge"
                                             : "");
    }
    fmt::format_to(out, "\nlearning rate\n{}", to_text(study.lr));
    if (study.batch) { fmt::format_to(out, "\nbatch size\n{}", to_text(*study.batch)); }
    if (!study.warnings.empty()) { text += '\n'; }
    for (const auto& [code, message] : study.warnings) { fmt::format_to(out, "warning [{}]: {}\n", code, message); }
    return text;
}

}  // namespace loglog
