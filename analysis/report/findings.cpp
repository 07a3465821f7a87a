#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "analysis/report/quantity.hpp"
#include "analysis/report/report.hpp"

namespace loglog {
namespace {

std::string range_text(const std::vector<double>& values) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return fmt::format("{} to {}", with_prefix(*low), with_prefix(*high));
}

std::string scope(const Report& report) {
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
    if (n.empty()) { return "None of the chosen runs has finished, so nothing could be fitted."; }
    const std::string kind = report.fitted_attention.empty() ? "" : " with attention " + report.fitted_attention;
    return fmt::format("{} finished runs{} enter the fits: {} non-embedding parameters, {} training tokens, {} FLOPs.",
                       n.size(), kind, range_text(n), range_text(d), range_text(c));
}

std::string exponent(const Report& report, const char* id, const char* symbol, const char* phrase) {
    const Inference* fit = report.find(id);
    if (fit == nullptr) { return fmt::format("How loss falls {} could not be fitted.", phrase); }
    const Estimate& e = fit->estimate("alpha");
    return fmt::format("Loss falls {} as {}^-{:.3f} (95% interval {}), from {} runs.", phrase, symbol, e.value,
                       interval_text(e), fit->points.size());
}

std::string surface(const Report& report) {
    const Inference* fit = report.find("chinchilla-non_embedding");
    if (fit == nullptr) { return "The joint law L(N, D) could not be fitted."; }
    return fmt::format(
        "Fitted together, L = E + A N^-alpha + B D^-beta gives alpha = {} and beta = {}; under C = 6ND the best "
        "size for a budget would grow as C^{}.",
        value_text(fit->estimate("alpha")), value_text(fit->estimate("beta")), value_text(fit->estimate("a")));
}

/// Whether some saturating fit tells a floor from zero.
std::string floors(const Report& report) {
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
        if (!unidentified && warned("few_points")) {
            continue;
        }  // three parameters meet a few points whatever the truth
        std::string& list = unidentified ? without : with;
        list += (list.empty() ? "" : ", ") + std::string{name};
    }
    std::string text;
    if (!without.empty()) {
        text += "Not found: a floor under the loss against " + without + "; zero lies within its interval.";
    }
    if (!with.empty()) {
        text += std::string{text.empty() ? "" : " "} + "A floor above zero is told apart against " + with + ".";
    }
    return text;
}

std::string conventions(const Report& report) {
    double low = INFINITY;
    double high = -INFINITY;
    const char* names[] = {"power-N-non_embedding", "power-N-with_head", "power-N-total"};
    for (const char* id : names) {
        const Inference* fit = report.find(id);
        if (fit == nullptr) { return {}; }
        low = std::min(low, fit->estimate("alpha").value);
        high = std::max(high, fit->estimate("alpha").value);
    }
    return fmt::format(
        "By what is counted as N alone (without embeddings, with the head, everything) the exponent in N "
        "ranges from {:.3f} to {:.3f}.",
        low, high);
}

}  // namespace

std::vector<std::string> findings(const Report& report) {
    std::vector<std::string> sentences{scope(report)};
    sentences.push_back(exponent(report, "power-N-non_embedding", "N", "with model size"));
    sentences.push_back(exponent(report, "power-D", "D", "with training tokens"));
    sentences.push_back(exponent(report, "power-C", "C", "with compute"));
    sentences.push_back(surface(report));
    sentences.push_back(floors(report));
    sentences.push_back(conventions(report));
    if (!report.excluded.empty()) {
        sentences.push_back(fmt::format("{} of {} runs are left out; they are listed with the reasons.",
                                        report.excluded.size(), report.input.runs.size()));
    }
    std::erase(sentences, std::string{});
    return sentences;
}

}  // namespace loglog
