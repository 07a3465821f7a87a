#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <map>

#include "analysis/isoflop/optima_fit.hpp"

namespace loglog {
namespace {

std::string number(double value) { return std::isfinite(value) ? fmt::format("{:.5g}", value) : "-"; }

std::string interval(const Estimate& e) {
    return std::isfinite(e.low) ? fmt::format("{:.3g} to {:.3g}", e.low, e.high) : "-";
}

void append_budgets(std::string& text, const OptimaFit& fit) {
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "\n  {:>10}{:>7}{:>12}{:>22}{:>12}{:>10}  {}\n", "C", "points", "N_opt", "95%", "D_opt", "loss",
                   "");
    for (const auto& budget : fit.optima.budgets) {
        fmt::format_to(out, "  {:>10.3g}{:>7}{:>12}{:>22}{:>12}{:>10}  {}\n", budget.compute, budget.n_points,
                       number(budget.n.value), interval(budget.n), number(budget.d.value), number(budget.loss.value),
                       budget.used ? "" : "not used: " + budget.left_out);
    }
}

void append_estimates(std::string& text, const std::vector<NamedEstimate>& estimates) {
    for (const auto& [name, e] : estimates) {
        fmt::format_to(std::back_inserter(text), "  {:<22}{:>12}{:>12}{:>14}{:>12}\n", name, number(e.value),
                       number(e.se), number(e.low), number(e.high));
    }
}

}  // namespace

std::string to_text(const OptimaFit& fit) {
    std::string text;
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "{}: N_opt = kN C^a, D_opt = kD C^b\n{} points; {}; budgets weighted {}\n", fit.law,
                   fit.n_points, fit.method, fit.weights == BudgetWeights::equal ? "equally" : "by their errors");
    if (fit.draws > 0 && std::isfinite(fit.noise.sigma)) {
        fmt::format_to(out, "intervals: {} draws of noise, {:.3g} nats a run ({})\n", fit.draws, fit.noise.sigma,
                       fit.noise.source);
    }
    append_budgets(text, fit);
    fmt::format_to(out, "\n  {:<22}{:>12}{:>12}{:>14}{:>12}\n", "", "value", "se", "95% from", "to");
    append_estimates(text, fit.parameters);
    append_estimates(text, fit.derived);
    if (fit.loss) {
        fmt::format_to(out, "\n  loss at the optimum: L = E + (Xc/C)^alpha, {} = {:.7g}\n",
                       to_string(fit.loss->objective), fit.loss->value);
        append_estimates(text, fit.loss->parameters);
    }
    for (const auto& one : fit.predictions) {
        fmt::format_to(out, "\n  at C = {}\n", number(one.front().estimate.value));
        append_estimates(text, {one.begin() + 1, one.end()});
    }
    if (fit.surface) {
        fmt::format_to(out,
                       "\nthe same method on a surface E + A/N^alpha + B/D^beta fitted to these runs: a {:+.4f} off "
                       "the surface's {:.4f}\n",
                       fit.surface->bias_a, fit.surface->a);
    }
    std::map<std::string, int> reasons;
    for (const auto& exclusion : fit.excluded) { ++reasons[exclusion.reason]; }
    if (!reasons.empty()) { text += '\n'; }
    for (const auto& [reason, count] : reasons) { fmt::format_to(out, "left out: {} ({})\n", count, reason); }
    if (!fit.warnings.empty()) { text += '\n'; }
    for (const auto& [code, message] : fit.warnings) { fmt::format_to(out, "warning [{}]: {}\n", code, message); }
    return text;
}

}  // namespace loglog
