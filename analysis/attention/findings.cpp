#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "analysis/attention/comparison.hpp"

namespace loglog {
namespace {

const char* unit_of(CostAxis axis) {
    switch (axis) {
        case CostAxis::flops:
            return "FLOPs";
        case CostAxis::parameters:
            return "parameters";
        case CostAxis::seconds:
            return "seconds of training";
    }
    return "";
}

bool has_interval(const Estimate& e) { return std::isfinite(e.low) && std::isfinite(e.high); }

std::string percent(double ratio) { return fmt::format("{:.1f}%", 100 * std::abs(ratio - 1)); }

std::string scope(const Comparison& c) {
    std::string names;
    for (std::size_t v = 1; v < c.variants.size(); ++v) { names += (v > 1 ? ", " : "") + c.variants[v].name; }
    return fmt::format("{} runs compare {} with {} at {} sizes ({:.3g} to {:.3g} non-embedding parameters).",
                       c.compared, names, c.variants.front().name, c.sizes.size(), c.sizes.front().parameters,
                       c.sizes.back().parameters);
}

std::string multiplier_sentence(const Comparison& c, const VariantResult& variant, const Multiplier& m) {
    const Estimate& e = m.estimate;
    const std::string& baseline = c.variants.front().name;
    const char* unit = unit_of(c.headline().axis);
    const std::string where = fmt::format("At a loss of {:.4g}", m.loss);
    if (!std::isfinite(e.value)) {
        return fmt::format("{} the cost of {} is not defined: a law never reaches it.", where, variant.name);
    }
    const std::string value = has_interval(e)
                                  ? fmt::format("{:.3f} (95% interval {:.3f} to {:.3f})", e.value, e.low, e.high)
                                  : fmt::format("{:.3f} (no interval)", e.value);
    const std::string tail = m.extrapolated ? " This is an extrapolation." : "";
    if (!has_interval(e)) {
        return fmt::format("{} the multiplier of {} over {} is {}.{}", where, variant.name, baseline, value, tail);
    }
    if (e.low > 1 || e.high < 1) {
        return fmt::format("{} {} needs {} {} than {}: its multiplier is {}.{}", where, variant.name,
                           e.low > 1 ? "fewer" : "more", unit, baseline, value, tail);
    }
    return fmt::format("{} {} and {} are not told apart in {}: the multiplier is {}.{}", where, variant.name, baseline,
                       unit, value, tail);
}

void add_multipliers(const Comparison& c, std::vector<std::string>& sentences) {
    for (std::size_t v = 1; v < c.variants.size(); ++v) {
        if (c.variants[v].is_control) { continue; }
        const auto& list = c.headline().multipliers[v];
        // Under shared exponents and floor the multiplier is the same at every loss.
        const bool same = c.headline().fit.sharing.exponent == Sharing::Exponent::shared;
        for (const auto& m : list) {
            sentences.push_back(multiplier_sentence(c, c.variants[v], m));
            if (same) { break; }
        }
    }
}

std::string controls(const Comparison& c) {
    std::string text;
    for (std::size_t v = 0; v < c.variants.size(); ++v) {
        if (!c.variants[v].is_control || c.headline().multipliers[v].empty()) { continue; }
        const Estimate& e = c.headline().multipliers[v].front().estimate;
        if (!has_interval(e)) { continue; }
        text += fmt::format(
            "{}The control {}, a copy of {}, has the multiplier {:.3f} (95% interval {:.3f} to {:.3f}), which {} 1{}.",
            text.empty() ? "" : " ", c.variants[v].name, c.variants.front().name, e.value, e.low, e.high,
            e.low <= 1 && e.high >= 1 ? "holds" : "misses",
            e.low <= 1 && e.high >= 1 ? ", as it must" : ": something besides attention differs");
    }
    return text;
}

std::string laws(const Comparison& c) {
    const AxisResult& axis = c.headline();
    std::string text = fmt::format("The laws over {} have {}", unit_of(axis.axis), to_text(axis.fit.sharing));
    if (has_interval(axis.shared_exponent)) {
        text += fmt::format(": {:.4f} (95% interval {:.4f} to {:.4f})", axis.shared_exponent.value,
                            axis.shared_exponent.low, axis.shared_exponent.high);
    }
    text += ".";
    std::string differ;
    double widest = 0;
    for (std::size_t v = 1; v < axis.exponent_differences.size(); ++v) {
        const Estimate& e = axis.exponent_differences[v];
        if (!has_interval(e)) { continue; }
        widest = std::max(widest, (e.high - e.low) / 2);
        if (!c.variants[v].is_control && (e.low > 0 || e.high < 0)) {
            differ += fmt::format("{}{} by {:+.4f} ({:+.4f} to {:+.4f})", differ.empty() ? "" : ", ",
                                  c.variants[v].name, e.value, e.low, e.high);
        }
    }
    if (!differ.empty()) { return text + " Exponents of their own differ from the baseline's: " + differ + "."; }
    if (widest > 0) {
        text += fmt::format(
            " No difference between exponents is told from zero; these runs resolve none below about {:.2g}.", widest);
    }
    return text;
}

/// Where linear kinds mix tokens more cheaply, and whether these runs are there.
void add_break_even(const Comparison& c, std::vector<std::string>& sentences) {
    if (!c.context) { return; }
    std::vector<std::string> below, above;
    for (const auto& variant : c.variants) {
        if (!variant.break_even_context) { continue; }
        const double tokens = std::ceil(*variant.break_even_context);
        (*c.context <= tokens ? below : above).push_back(fmt::format("{} from {:.0f} on", variant.name, tokens));
    }
    if (!below.empty()) {
        sentences.push_back(fmt::format(
            "At a context of {:.0f} tokens linear attention buys no FLOPs: mixing tokens becomes cheaper than dense "
            "attention only at longer contexts ({}).",
            *c.context, fmt::join(below, ", ")));
    }
    if (!above.empty()) {
        sentences.push_back(
            fmt::format("At a context of {:.0f} tokens linear attention mixes tokens with fewer FLOPs "
                        "than dense attention ({}).",
                        *c.context, fmt::join(above, ", ")));
    }
}

std::string flops_per_token(const Comparison& c) {
    std::string list;
    for (std::size_t v = 1; v < c.variants.size(); ++v) {
        const auto& variant = c.variants[v];
        if (variant.is_control || !variant.sizes.back().flops_ratio) { continue; }
        const double ratio = *variant.sizes.back().flops_ratio;
        list +=
            fmt::format("{}{} {}", list.empty() ? "" : ", ", variant.name,
                        std::abs(ratio - 1) < 5e-4 ? "the same" : percent(ratio) + (ratio < 1 ? " fewer" : " more"));
    }
    if (list.empty()) { return {}; }
    return fmt::format("FLOPs per token of the whole model at the largest size, against {}: {}.",
                       c.variants.front().name, list);
}

/// Multipliers over seconds beside the headline's: what the machine made of the FLOPs.
std::string wall_clock(const Comparison& c) {
    if (c.headline().axis == CostAxis::seconds) { return {}; }
    for (const auto& axis : c.axes) {
        if (axis.axis != CostAxis::seconds || !axis.failure.empty()) { continue; }
        std::string list;
        for (std::size_t v = 1; v < c.variants.size(); ++v) {
            if (c.variants[v].is_control || axis.multipliers[v].empty()) { continue; }
            const Estimate& e = axis.multipliers[v].back().estimate;
            if (!std::isfinite(e.value)) { continue; }
            list += fmt::format("{}{} {:.2f}", list.empty() ? "" : ", ", c.variants[v].name, e.value);
            if (has_interval(e)) { list += fmt::format(" ({:.2f} to {:.2f})", e.low, e.high); }
        }
        if (list.empty()) { return {}; }
        return fmt::format("In seconds of training on the machines used, the multipliers at a loss of {:.4g} are: {}.",
                           c.options.losses.back(), list);
    }
    return {};
}

std::string recall(const Comparison& c) {
    std::string list;
    for (std::size_t v = 1; v < c.variants.size(); ++v) {
        const Estimate& e = c.variants[v].sizes.back().recall_difference;
        if (c.variants[v].is_control || !std::isfinite(e.value)) { continue; }
        list += fmt::format("{}{} {:+.3f}", list.empty() ? "" : ", ", c.variants[v].name, e.value);
        if (has_interval(e)) { list += fmt::format(" ({:+.3f} to {:+.3f})", e.low, e.high); }
    }
    if (list.empty()) { return {}; }
    return fmt::format("Loss on recall tokens at the largest size, minus {}'s: {}.", c.variants.front().name, list);
}

std::string by_position(const Comparison& c) {
    const auto& reference = c.variants.front().sizes.back();
    if (reference.loss_by_position.size() < 2) { return {}; }
    std::string list;
    for (std::size_t v = 1; v < c.variants.size(); ++v) {
        const auto& size = c.variants[v].sizes.back();
        if (c.variants[v].is_control || size.size != reference.size ||
            size.loss_by_position.size() != reference.loss_by_position.size()) {
            continue;
        }
        list += fmt::format("{}{} {:+.3f} and {:+.3f}", list.empty() ? "" : ", ", c.variants[v].name,
                            size.loss_by_position.front() - reference.loss_by_position.front(),
                            size.loss_by_position.back() - reference.loss_by_position.back());
    }
    if (list.empty()) { return {}; }
    return fmt::format("Loss minus {}'s in the first and in the last part of the window, largest size: {}.",
                       c.variants.front().name, list);
}

std::string crossovers(const Comparison& c) {
    if (c.options.bench.empty()) {
        return "From which context on a kind is faster on this machine was not measured: loglog bench attention --json "
               "> "
               "bench.json, then --bench bench.json.";
    }
    std::string list;
    for (const auto& kind : c.options.bench) {
        if (kind.kind == "dense") { continue; }
        list += fmt::format("{}{} ", list.empty() ? "" : ", ", kind.kind);
        list += kind.crossover_with_dense ? fmt::format("from {:.0f} tokens on", *kind.crossover_with_dense)
                                          : std::string{"not within the measured contexts"};
    }
    return list.empty() ? std::string{} : "Measured, faster than dense attention: " + list + ".";
}

}  // namespace

std::vector<std::string> findings(const Comparison& comparison) {
    std::vector<std::string> sentences{scope(comparison)};
    add_multipliers(comparison, sentences);
    sentences.push_back(controls(comparison));
    sentences.push_back(laws(comparison));
    add_break_even(comparison, sentences);
    sentences.push_back(flops_per_token(comparison));
    sentences.push_back(wall_clock(comparison));
    sentences.push_back(recall(comparison));
    sentences.push_back(by_position(comparison));
    sentences.push_back(crossovers(comparison));
    if (!comparison.failures.empty()) {
        sentences.push_back(fmt::format("Of {1} runs, {0} did not end well; each is listed.",
                                        comparison.failures.size(), comparison.runs));
    }
    std::erase(sentences, std::string{});
    return sentences;
}

}  // namespace loglog
