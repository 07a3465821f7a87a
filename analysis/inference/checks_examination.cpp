#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "analysis/inference/checks.hpp"

namespace loglog {
namespace {

constexpr double significant = 0.01;
constexpr double no_support = 10;        // AICc above the best: Burnham and Anderson 2002, section 2.6
constexpr double notable_change = 0.02;  // of an exponent, where there is no interval to judge it by
constexpr std::array<std::string_view, 5> exponents{"a", "alpha", "beta", "alphaN", "alphaD"};

const LawScore* best_other(const ModelChoice& choice) {
    const LawScore* best = nullptr;
    for (const LawScore& one : choice.laws) {
        if (one.is_fitted || !one.failure.empty()) { continue; }
        if (best == nullptr || one.aicc < best->aicc) { best = &one; }
    }
    return best;
}

/// Another law that leaves the fitted one without support; a larger one must also pass the test of what it adds.
void report_better_law(const ModelChoice& choice, std::vector<Warning>& found) {
    const LawScore& fitted = choice.laws.front();
    const LawScore* best = best_other(choice);
    if (!fitted.failure.empty() || best == nullptr) { return; }
    const double lead = fitted.aicc - best->aicc;
    const bool adds = best->test && best->parameters > fitted.parameters && best->test->p < significant;
    if (lead <= 0 || (lead < no_support && !adds)) { return; }
    found.push_back(
        {"better_law", fmt::format("the law '{}' describes these points better: AICc lower by {:.1f}{}", best->law,
                                   lead, adds ? fmt::format(", likelihood ratio p = {:.1g}", best->test->p) : "")});
}

void report_lack_of_fit(const ModelChoice& choice, std::vector<Warning>& found) {
    std::string why;
    if (choice.trend && choice.trend->p < significant) {
        why = fmt::format("its residuals still bend with the variables (F({}, {:.0f}) = {:.1f}, p = {:.1g})",
                          choice.trend->degrees, choice.trend->left, choice.trend->f, choice.trend->p);
    }
    if (choice.noise && choice.noise->p < significant) {
        why += fmt::format("{}it misses by {:.3g} nats where repeated runs differ by {:.3g} (p = {:.1g})",
                           why.empty() ? "" : ", and ", choice.noise->residual_sd_nats, choice.noise->sd_nats,
                           choice.noise->p);
    }
    if (why.empty()) { return; }
    const LawScore* best = best_other(choice);
    const bool named = best != nullptr && best->aicc < choice.laws.front().aicc;
    found.push_back({"lack_of_fit", fmt::format("the law does not hold within the noise: {}; {}", why,
                                                named ? "nearest to it among the laws compared: '" + best->law + "'"
                                                      : "none of the laws compared is nearer")});
}

void report_conventions(const Inference& fit, std::vector<Warning>& found) {
    for (const auto name : exponents) {
        for (const auto* family : {&fit.derived, &fit.parameters}) {
            for (const auto& [known, e] : *family) {
                if (known != name) { continue; }
                const bool has_interval = std::isfinite(e.low) && std::isfinite(e.high);
                const double low = has_interval ? e.low : e.value - notable_change;
                const double high = has_interval ? e.high : e.value + notable_change;
                std::string text;
                for (const ConventionFit& one : fit.examination.conventions) {
                    const double other = value_of(one.fit, name);
                    if (other < low || other > high) {
                        text += fmt::format("{}{:.4g} with {} = {}", text.empty() ? "" : ", ", other,
                                            one.convention.quantity, one.convention.convention);
                    }
                }
                if (text.empty()) { continue; }
                found.push_back(
                    {"conventions_differ",
                     fmt::format("{} is {:.4g} as fitted ({:.4g} to {:.4g}) but {}: say which count is meant "
                                 "(Porian et al. 2024, arXiv:2406.19146)",
                                 name, e.value, low, high, text)});
            }
        }
    }
}

void report_sensitivity(const Inference& fit, std::vector<Warning>& found) {
    if (!fit.examination.sensitivity) { return; }
    for (const ChoiceRange& range : fit.examination.sensitivity->ranges) {
        if (std::find(exponents.begin(), exponents.end(), range.name) == exponents.end()) { continue; }
        const Estimate& e = fit.estimate(range.name);
        if (std::isfinite(e.low) && (range.low < e.low || range.high > e.high)) {
            found.push_back({"choice_matters",
                             fmt::format("{0} = {1:.4g} ({2:.4g} to {3:.4g}) goes from {4:.4g} ({5}) to {6:.4g} ({7}) "
                                         "by choices alone: its interval says less than it seems",
                                         range.name, e.value, e.low, e.high, range.low, range.low_choice, range.high,
                                         range.high_choice)});
        }
    }
}

}  // namespace

void check_examination(const Inference& fit, std::vector<Warning>& found) {
    if (fit.examination.laws) {
        report_better_law(*fit.examination.laws, found);
        report_lack_of_fit(*fit.examination.laws, found);
    }
    report_conventions(fit, found);
    report_sensitivity(fit, found);
}

}  // namespace loglog
