#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "analysis/report/headline.hpp"
#include "analysis/report/quantity.hpp"
#include "analysis/report/report.hpp"

namespace loglog {
namespace {

std::string range_text(const std::vector<double>& values) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return fmt::format("{} to {}", with_prefix(*low), with_prefix(*high));
}

void scope(const Report& report, Findings& findings) {
    std::vector<double> n, d, c;
    std::set<std::string> outside;
    for (const auto& exclusion : report.excluded) { outside.insert(exclusion.id); }
    for (const auto& run : report.input.runs) {
        const auto& r = run.record;
        if (outside.contains(r.id) || r.state != RunState::ok || !r.non_embedding_params || !r.tokens || !r.flops) {
            continue;
        }
        n.push_back(static_cast<double>(*r.non_embedding_params));
        d.push_back(static_cast<double>(*r.tokens));
        c.push_back(*r.flops);
    }
    if (n.empty()) {
        findings.not_found.push_back("None of the chosen runs has finished, so nothing could be fitted.");
        return;
    }
    const std::string kind = report.fitted_attention.empty() ? "" : " with attention " + report.fitted_attention;
    findings.found.push_back(
        fmt::format("{} finished runs{} enter the fits: {} non-embedding parameters, {} training tokens, {} FLOPs.",
                    n.size(), kind, range_text(n), range_text(d), range_text(c)));
}

constexpr double least_exponent = 5e-4;  // smaller ones are 0 in the three decimals of a sentence

/// The exponent of the law that leads, and where that is the one with a floor, why it does and the other's exponent.
void exponent(const Report& report, const char* place, const char* symbol, const char* phrase, Findings& findings) {
    const Headline lead = headline(report, place);
    if (lead.fit == nullptr) {
        findings.not_found.push_back(fmt::format("How loss falls {} could not be fitted.", phrase));
        return;
    }
    const Estimate& e = lead.fit->estimate("alpha");
    const std::size_t runs = lead.fit->points.size();
    if (e.value < least_exponent || e.low < least_exponent) {
        findings.not_found.push_back(fmt::format(
            "No fall of the loss {} is told apart from none: the exponent is {:.3f} (95% interval {}), from "
            "{} runs.",
            phrase, e.value, interval_text(e), runs));
        return;
    }
    if (lead.other == nullptr) {
        findings.found.push_back(fmt::format("Loss falls {} as {}^-{:.3f} (95% interval {}), from {} runs.", phrase,
                                             symbol, e.value, interval_text(e), runs));
        return;
    }
    const Estimate& floor = lead.fit->estimate("E");
    const Estimate& plain = lead.other->estimate("alpha");
    findings.found.push_back(fmt::format(
        "Loss falls {} towards a floor of {:.3f} nats (95% interval {}) as {}^-{:.3f} (95% interval {}), from {} runs; "
        "without a floor it would be {}^-{:.3f} (95% interval {}), but that power law has no support beside this one: "
        "its AICc is higher by {:.1f}, and 10 is enough (Burnham and Anderson 2002, sec. 2.6).",
        phrase, floor.value, interval_text(floor), symbol, e.value, interval_text(e), runs, symbol, plain.value,
        interval_text(plain), lead.aicc_gain));
}

/// The fitted optimum at the largest budget that a run had, and how far runs were from it.
std::string optimum(const Report& report, const Inference& fit) {
    std::set<std::string> outside;
    for (const auto& exclusion : report.excluded) { outside.insert(exclusion.id); }
    double budget = 0;
    for (const auto& run : report.input.runs) {
        const RunRecord& r = run.record;
        if (outside.contains(r.id) || !r.non_embedding_params || !r.tokens) { continue; }
        budget = std::max(budget, 6.0 * static_cast<double>(*r.non_embedding_params) * static_cast<double>(*r.tokens));
    }
    if (!(budget > 0)) { return {}; }
    const auto best = predict(fit, budget);
    const auto of = [&](std::string_view name) -> const Estimate& {
        return std::find_if(best.begin(), best.end(), [&](const auto& entry) { return entry.name == name; })->estimate;
    };
    const Estimate& ratio = of("tokens_per_parameter");
    for (const Estimate* e : {&of("N"), &of("D"), &ratio}) {
        if (!std::isfinite(e->value) || !(e->value > 0)) { return {}; }
    }
    const std::string interval =
        std::isfinite(ratio.low) && std::isfinite(ratio.high)
            ? fmt::format(" (95% interval {} to {})", with_prefix(ratio.low), with_prefix(ratio.high))
            : "";
    return fmt::format(
        "For the largest budget of a run, 6ND = {:.2e} FLOPs, that law puts the least loss at N = {} and D = {}: {} "
        "tokens per parameter{}.",
        budget, with_prefix(of("N").value), with_prefix(of("D").value), with_prefix(ratio.value), interval);
}

/// Why the exponents of the joint law mean nothing; empty where they do mean something. A floor of 0 does no harm.
std::string unidentified(const Inference& fit) {
    const auto specs = fit.law->parameters();
    for (std::size_t k = 0; k < specs.size(); ++k) {
        const double q = fit.optimum.best.coordinates[k];
        if (specs[k].name != "E" && (q <= specs[k].lower || q >= specs[k].upper)) {
            return fmt::format("{} ended at its {} bound", specs[k].name, q <= specs[k].lower ? "lower" : "upper");
        }
    }
    return fit.optimum.best.converged ? std::string{} : "the search stopped before its gradient vanished";
}

void surface(const Report& report, Findings& findings) {
    const Inference* fit = report.find("chinchilla-non_embedding");
    if (fit == nullptr) {
        findings.not_found.push_back("The joint law L(N, D) could not be fitted.");
        return;
    }
    if (const std::string reason = unidentified(*fit); !reason.empty()) {
        findings.not_found.push_back(
            fmt::format("The joint law L = E + A N^-alpha + B D^-beta is not identified by these runs: {}.", reason));
        return;
    }
    findings.found.push_back(fmt::format(
        "Fitted together, L = E + A N^-alpha + B D^-beta gives alpha = {} and beta = {}; under C = 6ND the best "
        "size for a budget would grow as C^{}.",
        value_text(fit->estimate("alpha")), value_text(fit->estimate("beta")), value_text(fit->estimate("a"))));
    findings.found.push_back(optimum(report, *fit));
}

/// Whether some saturating fit tells a floor from zero.
void floors(const Report& report, Findings& findings) {
    std::string with;
    std::string without;
    for (const auto& [id, name] : {std::pair{"saturating-N-non_embedding", "N"}, std::pair{"saturating-D", "D"},
                                   std::pair{"saturating-C", "C"}}) {
        const Inference* fit = report.find(id);
        if (fit == nullptr) { continue; }
        const auto warned = [&](std::string_view code) {
            return std::any_of(fit->warnings.begin(), fit->warnings.end(),
                               [&](const Warning& warning) { return warning.code == code; });
        };
        const bool unidentified = warned("floor_not_identified") || warned("at_bound");
        // Three parameters meet a few points whatever the truth.
        if (!unidentified && warned("few_points")) { continue; }
        std::string& list = unidentified ? without : with;
        list += (list.empty() ? "" : ", ") + std::string{name};
    }
    if (!without.empty()) {
        findings.not_found.push_back("A floor under the loss against " + without + ": zero lies within its interval.");
    }
    if (!with.empty()) { findings.found.push_back("A floor above zero is told apart against " + with + "."); }
}

void conventions(const Report& report, Findings& findings) {
    double low = INFINITY;
    double high = -INFINITY;
    const std::string law = headline(report, "N-non_embedding").law;
    for (const char* count : {"-N-non_embedding", "-N-with_head", "-N-total"}) {
        const Inference* fit = report.find(law + count);
        if (fit == nullptr) { return; }
        low = std::min(low, fit->estimate("alpha").value);
        high = std::max(high, fit->estimate("alpha").value);
    }
    if (!(high >= least_exponent)) { return; }
    findings.found.push_back(
        fmt::format("By what is counted as N alone (without embeddings, with the head, everything) the exponent in N "
                    "of the {} law ranges from {:.3f} to {:.3f}.",
                    law, low, high));
}

}  // namespace

Findings sorted_findings(const Report& report) {
    Findings findings;
    scope(report, findings);
    exponent(report, "N-non_embedding", "N", "with model size", findings);
    exponent(report, "D", "D", "with training tokens", findings);
    exponent(report, "C", "C", "with compute", findings);
    surface(report, findings);
    conventions(report, findings);
    floors(report, findings);
    if (!report.excluded.empty()) {
        findings.not_found.push_back(fmt::format("{} of {} runs are left out; they are listed with the reasons.",
                                                 report.excluded.size(), report.input.runs.size()));
    }
    std::erase(findings.found, std::string{});
    return findings;
}

std::vector<std::string> findings(const Report& report) {
    Findings sorted = sorted_findings(report);
    sorted.found.insert(sorted.found.end(), sorted.not_found.begin(), sorted.not_found.end());
    return sorted.found;
}

}  // namespace loglog
