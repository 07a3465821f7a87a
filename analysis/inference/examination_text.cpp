#include "analysis/inference/examination_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace loglog {
namespace {

constexpr std::size_t most_columns = 6;

std::string number(double value) { return std::isfinite(value) ? fmt::format("{:.5g}", value) : "-"; }

/// The numbers of a refit that fit on a line: derived ones a, b after the parameters.
std::vector<std::pair<std::string, double>> columns_of(const Refit& fit) {
    auto columns = fit.parameters;
    for (const auto& one : fit.derived) {
        if (one.first == "a") { columns.push_back(one); }
    }
    if (columns.size() > most_columns) { columns.resize(most_columns); }
    return columns;
}

/// A table of refits, one a line, headed by the names of the first that succeeded.
void append_refits(std::string& text, const std::string& heading, const std::vector<std::string>& labels,
                   const std::vector<Refit>& refits) {
    const auto out = std::back_inserter(text);
    const auto first =
        std::find_if(refits.begin(), refits.end(), [](const Refit& fit) { return !fit.parameters.empty(); });
    if (first == refits.end()) { return; }
    fmt::format_to(out, "\n{:<44}", heading);
    const auto columns = columns_of(*first);
    for (const auto& [name, value] : columns) { fmt::format_to(out, "{:>11}", name); }
    text += '\n';
    for (std::size_t i = 0; i < refits.size(); ++i) {
        fmt::format_to(out, "  {:<42}", labels[i]);
        if (!refits[i].failure.empty()) {
            text += refits[i].failure;
        } else {
            for (const auto& [name, value] : columns) {
                fmt::format_to(out, "{:>11}", number(value_of(refits[i], name)));
            }
            for (const auto& code : refits[i].caveats) { fmt::format_to(out, "  [{}]", code); }
        }
        text += '\n';
    }
}

void append_laws(std::string& text, const ModelChoice& choice) {
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "\n{:<34}{:>11}{:>14}{:>10}  {}\n", "laws on these points", "parameters", "AICc - lowest", "p",
                   "of what the larger law adds");
    for (const LawScore& score : choice.laws) {
        fmt::format_to(out, "  {:<32}{:>11}", score.law + (score.is_fitted ? " (fitted)" : ""), score.parameters);
        if (!score.failure.empty()) {
            fmt::format_to(out, "  {}\n", score.failure);
            continue;
        }
        fmt::format_to(out, "{:>14.2f}{:>10}\n", score.delta_aicc,
                       score.test ? fmt::format("{:.2g}", score.test->p) : std::string{});
    }
    if (choice.trend) {
        fmt::format_to(out, "residual trend: F({}, {:.0f}) = {:.2f}, p = {:.2g}\n", choice.trend->degrees,
                       choice.trend->left, choice.trend->f, choice.trend->p);
    }
    if (choice.noise) {
        const SeedNoise& s = *choice.noise;
        fmt::format_to(out,
                       "repeated runs differ by {:.4g} nats (standard deviation, {} cells, {} degrees of freedom); ",
                       s.sd_nats, s.cells, s.degrees);
        fmt::format_to(out, "the law misses by {} nats\n", number(s.residual_sd_nats));
    }
}

void append_conventions(std::string& text, const std::vector<ConventionFit>& conventions) {
    std::vector<std::string> labels;
    std::vector<Refit> refits;
    for (const ConventionFit& one : conventions) {
        const Convention& c = one.convention;
        labels.push_back(fmt::format("{} = {} ({}){}", c.quantity, c.convention, c.column, c.is_used ? ", used" : ""));
        refits.push_back(one.fit);
        if (!c.same_as.empty()) { refits.back().failure = "as " + c.same_as; }
    }
    append_refits(text, "counted as", labels, refits);
}

void append_sensitivity(std::string& text, const Inference& inference) {
    const Sensitivity& sensitivity = *inference.examination.sensitivity;
    std::vector<std::string> labels;
    for (const Refit& fit : sensitivity.refits) { labels.push_back(fit.choice); }
    append_refits(text, "other choices", labels, sensitivity.refits);
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "\n  {:<10}{:>12}{:>14}{:>12}{:>17}{:>12}\n", "", "value", "95% from", "to", "choices: from",
                   "to");
    for (const auto* family : {&inference.parameters, &inference.derived}) {
        for (const auto& [name, e] : *family) {
            const auto found = std::find_if(sensitivity.ranges.begin(), sensitivity.ranges.end(),
                                            [&name = name](const ChoiceRange& range) { return range.name == name; });
            if (found == sensitivity.ranges.end()) { continue; }
            fmt::format_to(out, "  {:<10}{:>12}{:>14}{:>12}{:>17}{:>12}\n", name, number(e.value), number(e.low),
                           number(e.high), number(found->low), number(found->high));
        }
    }
}

void append_validation(std::string& text, const CrossValidation& validation) {
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "\n{:<34}{:>8}{:>16}{:>14}\n", "one size left out", "points", "mean error", "rms (nats)");
    for (const Fold& fold : validation.folds) {
        const std::string label = fold.high > 1.01 * fold.low
                                      ? fmt::format("{} = {:.4g} to {:.4g}", validation.variable, fold.low, fold.high)
                                      : fmt::format("{} = {:.4g}", validation.variable, fold.low);
        fmt::format_to(out, "  {:<32}{:>8}", label, fold.n_points);
        if (!fold.failure.empty()) {
            fmt::format_to(out, "  {}\n", fold.failure);
        } else {
            fmt::format_to(out, "{:>+16.4f}{:>14.4f}\n", fold.mean_error_nats, fold.rms_error_nats);
        }
    }
    fmt::format_to(out, "  {:<40}{:>30.4f}\n", "all", validation.rms_error_nats);
}

}  // namespace

std::string to_text(const HoldOut& h) {
    std::string ratio = "no amount of compute explains it";
    if (std::isfinite(h.compute_ratio)) {
        ratio = fmt::format("as if trained with {:.3g} times the {}", h.compute_ratio,
                            h.variable == "D" ? "tokens" : "compute");
    }
    const std::string line = fmt::format(
        "held out: {} points at the {} largest {} (from {}): error {:+.4f} nats on average, {:.4f} rms, "
        "{:+.4f} at worst; {}\n",
        h.n_points, h.values.size(), h.variable, number(h.values.front()), h.mean_error_nats, h.rms_error_nats,
        h.worst_error_nats, ratio);
    return h.onset ? line + "of the rest: " + to_text(*h.onset) : line;
}

std::string to_text(const Onset& onset) {
    std::string text = fmt::format("onset: {} = {:.6g}, {} smaller value{} left out", onset.variable, onset.from,
                                   onset.left_out, onset.left_out == 1 ? "" : "s");
    if (onset.candidates.empty()) { return text + '\n'; }
    text += "; chosen by how well the last two are forecast from those before\n";
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "  {:>8}  {:>12}  {:>20}\n", "left out", onset.variable + " from", "mean (error of ln)^2");
    for (const OnsetCandidate& one : onset.candidates) {
        fmt::format_to(out, "  {:>8}  {:>12}  {:>20.4g}{}\n", one.left_out, number(one.from), one.score,
                       one.left_out == onset.left_out ? "  chosen" : "");
    }
    return text;
}

std::string examination_text(const Inference& inference) {
    const Examination& found = inference.examination;
    std::string text;
    if (found.laws) { append_laws(text, *found.laws); }
    if (!found.conventions.empty()) { append_conventions(text, found.conventions); }
    if (found.sensitivity) { append_sensitivity(text, inference); }
    if (found.cross_validation) { append_validation(text, *found.cross_validation); }
    return text;
}

}  // namespace loglog
