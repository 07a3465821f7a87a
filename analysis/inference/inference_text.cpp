#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <map>

#include "analysis/inference/examination_text.hpp"
#include "analysis/inference/intervals_text.hpp"

namespace loglog {
namespace {

std::string number(double value) { return std::isfinite(value) ? fmt::format("{:.5g}", value) : "-"; }

void append_estimates(std::string& text, const std::vector<NamedEstimate>& estimates) {
    for (const auto& [name, e] : estimates) {
        fmt::format_to(std::back_inserter(text), "  {:<22}{:>12}{:>12}{:>14}{:>12}\n", name, number(e.value),
                       number(e.se), number(e.low), number(e.high));
    }
}

void append_parameters(std::string& text, const Inference& fit) {
    const auto specs = fit.law->parameters();
    for (std::size_t k = 0; k < specs.size(); ++k) {
        const auto& [name, e] = fit.parameters[k];
        if (specs[k].hold.kind == Hold::Kind::fixed) {
            fmt::format_to(std::back_inserter(text), "  {:<22}{:>12}{:>12}\n", name, number(e.value), "fixed");
        } else {
            append_estimates(text, {fit.parameters[k]});
        }
    }
    for (const auto& spec : specs) {
        if (spec.hold.kind == Hold::Kind::tied) {
            fmt::format_to(std::back_inserter(text), "  ({} is tied to {})\n", spec.name, specs[spec.hold.to].name);
        }
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
    fmt::format_to(out, "  {:<22}{:>12}{:>12}{:>14}{:>12}\n", "", "value", "se",
                   fmt::format("{:g}% from", 100 * fit.resamples.level), "to");
    append_parameters(text, fit);
    append_estimates(text, fit.derived);
    text += intervals_text(fit);
    for (const auto& one : fit.predictions) {
        fmt::format_to(out, "\n  at {} = {}\n", one.front().name, number(one.front().estimate.value));
        append_estimates(text, {one.begin() + 1, one.end()});
    }
    for (const auto& one : fit.places) {
        text += "\n  at";
        for (std::size_t k = 0; k + 1 < one.size(); ++k) {
            fmt::format_to(out, "{} {} = {}", k == 0 ? "" : ",", one[k].name, number(one[k].estimate.value));
        }
        text += '\n';
        append_estimates(text, {one.back()});
    }
    for (const auto& [departure, values] : fit.departures) {
        fmt::format_to(out, "\n  at C = {} with {:g} times the optimal {}\n", number(values.front().estimate.value),
                       departure.factor, departure.kind == Departure::Kind::size ? "size" : "tokens per parameter");
        append_estimates(text, {values.begin() + 1, values.end()});
    }
    if (fit.onset) { text += "\n" + to_text(*fit.onset); }
    if (fit.hold_out) { text += "\n" + to_text(*fit.hold_out); }
    text += examination_text(fit);
    if (!fit.excluded.empty()) { text += '\n'; }
    append_excluded(text, fit.excluded);
    if (!fit.warnings.empty()) { text += '\n'; }
    for (const auto& [code, message] : fit.warnings) { fmt::format_to(out, "warning [{}]: {}\n", code, message); }
    return text;
}

}  // namespace loglog
