#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <map>

#include "analysis/inference/inference.hpp"

namespace loglog {
namespace {

std::string number(double value) { return std::isfinite(value) ? fmt::format("{:.5g}", value) : "-"; }

void append_estimates(std::string& text, const std::vector<NamedEstimate>& estimates) {
    for (const auto& [name, e] : estimates) {
        fmt::format_to(std::back_inserter(text), "  {:<22}{:>12}{:>12}{:>14}{:>12}\n", name, number(e.value),
                       number(e.se), number(e.low), number(e.high));
    }
}

void append_excluded(std::string& text, const std::vector<Exclusion>& excluded) {
    std::map<std::string, int> reasons;
    for (const auto& exclusion : excluded) { ++reasons[exclusion.reason]; }
    for (const auto& [reason, count] : reasons) {
        fmt::format_to(std::back_inserter(text), "left out: {} ({})\n", count, reason);
    }
}

}  // namespace

std::string to_text(const Inference& fit) {
    std::string text;
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "{}: {}", fit.law->name(), fit.law->formula());
    if (fit.points.variables == 1) { fmt::format_to(out, " with X = {}", fit.variable); }
    fmt::format_to(out, "\n{} points, objective {}", fit.points.size(), to_string(fit.objective));
    if (fit.objective.penalty == Objective::Penalty::huber) {
        fmt::format_to(out, " (delta {:g})", fit.objective.delta);
    }
    fmt::format_to(out, " = {:.7g}\n{} of {} starts agree, gradient {:.1e}, condition {:.2g}\n\n",
                   fit.optimum.best.value, fit.optimum.agreeing, fit.optimum.starts, fit.optimum.best.gradient_norm,
                   fit.condition);
    fmt::format_to(out, "  {:<22}{:>12}{:>12}{:>14}{:>12}\n", "", "value", "se", "95% from", "to");
    append_estimates(text, fit.parameters);
    append_estimates(text, fit.derived);
    for (const auto& one : fit.predictions) {
        fmt::format_to(out, "\n  at {} = {}\n", one.front().name, number(one.front().estimate.value));
        append_estimates(text, {one.begin() + 1, one.end()});
    }
    if (fit.hold_out) {
        const auto& h = *fit.hold_out;
        fmt::format_to(out,
                       "\nheld out: {} points at the {} largest {} (from {}): error {:+.4f} nats on average, "
                       "{:.4f} rms, {:+.4f} at worst\n",
                       h.n_points, h.values.size(), h.variable, number(h.values.front()), h.mean_error_nats,
                       h.rms_error_nats, h.worst_error_nats);
    }
    if (!fit.excluded.empty()) { text += '\n'; }
    append_excluded(text, fit.excluded);
    if (!fit.warnings.empty()) { text += '\n'; }
    for (const auto& [code, message] : fit.warnings) { fmt::format_to(out, "warning [{}]: {}\n", code, message); }
    return text;
}

}  // namespace loglog
