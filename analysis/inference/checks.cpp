#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/inference/checks.hpp"

namespace loglog {
namespace {

constexpr double ill_conditioned = 1e5;    // published fits that are sound lie near 1e3
constexpr double least_agreement = 0.5;    // share of starts
constexpr std::size_t fewest_draws = 200;  // for the ends of a 95% interval
constexpr double rounding = 1e-6;          // relative: an estimate so near to its interval's end is not outside
constexpr std::size_t most_named = 4;

void check_optimum(const Inference& fit, std::vector<Warning>& found) {
    const auto specs = fit.law->parameters();
    for (std::size_t k = 0; k < specs.size(); ++k) {
        const double q = fit.optimum.best.coordinates[k];
        if (q <= specs[k].lower || q >= specs[k].upper) {
            found.push_back({"at_bound", fmt::format("{} ended at its {} bound: the data do not determine it",
                                                     specs[k].name, q <= specs[k].lower ? "lower" : "upper")});
        }
    }
    check_condition(fit.condition, found);
    const double share = static_cast<double>(fit.optimum.agreeing) / fit.optimum.starts;
    if (share < least_agreement) {
        found.push_back(
            {"starts_disagree", fmt::format("{} of {} starts reached the optimum; another one may lie lower",
                                            fit.optimum.agreeing, fit.optimum.starts)});
    }
    if (!fit.optimum.best.converged) {
        found.push_back({"not_converged", "the last descent stopped before its gradient vanished"});
    }
}

/// Amplitudes and scales span orders of magnitude by nature; what is judged is whether they are known to a factor.
bool is_scale(std::string_view name) { return name == "A" || name == "B" || name == "Xc" || name == "G"; }

/// An interval and what it comes of; an open end is NaN.
struct Range {
    double low;
    double high;
    const char* kind;
};

/// By resamples, if there were any, and by the likelihood.
std::vector<Range> ranges_of(const Inference& fit, const NamedEstimate& parameter) {
    std::vector<Range> ranges;
    const Estimate& e = parameter.estimate;
    if (std::isfinite(e.low)) { ranges.push_back({e.low, e.high, "interval"}); }
    for (const ProfileInterval& profile : fit.profiles.intervals) {
        if (profile.name == parameter.name) { ranges.push_back({profile.low, profile.high, "profile interval"}); }
    }
    return ranges;
}

std::string end_text(double end, const char* open) { return std::isfinite(end) ? fmt::format("{:.4g}", end) : open; }

bool is_wide(const NamedEstimate& parameter, const Range& range) {
    if (!std::isfinite(range.low) || !std::isfinite(range.high)) { return true; }
    return is_scale(parameter.name) ? range.high > 1000 * range.low
                                    : range.high - range.low > std::abs(parameter.estimate.value);
}

void check_intervals(const Inference& fit, std::vector<Warning>& found) {
    const double least_floor = 0.01 * *std::min_element(fit.points.loss.begin(), fit.points.loss.end());
    for (const NamedEstimate& parameter : fit.parameters) {
        const auto ranges = ranges_of(fit, parameter);
        if (ranges.empty()) { continue; }
        const auto to_zero =
            std::find_if(ranges.begin(), ranges.end(), [&](const Range& range) { return range.low <= least_floor; });
        if (parameter.name == "E" && to_zero != ranges.end()) {
            found.push_back({"floor_not_identified",
                             fmt::format("the {} of E, {:.4g} to {}, reaches zero: these data show no floor",
                                         to_zero->kind, to_zero->low, end_text(to_zero->high, "no upper end"))});
        } else if (is_wide(parameter, ranges.front())) {
            found.push_back({"wide_interval", fmt::format("{} = {} is known only within {} to {}", parameter.name,
                                                          end_text(parameter.estimate.value, "over 1e308"),
                                                          end_text(ranges.front().low, "no lower end"),
                                                          end_text(ranges.front().high, "no upper end"))});
        }
    }
    if (fit.resamples.requested > 0) { check_draws(fit.resamples.natural.size(), found); }
    if (fit.resamples.degenerate > 0) {
        found.push_back({"degenerate_resamples",
                         fmt::format("{} of {} resamples held fewer distinct points than the law has parameters and "
                                     "were left out",
                                     fit.resamples.degenerate, fit.resamples.requested)});
    }
}

bool is_outside(const Estimate& e) {
    const double slack = rounding * std::max({std::abs(e.value), std::abs(e.low), std::abs(e.high)});
    return e.value < e.low - slack || e.value > e.high + slack;
}

}  // namespace

bool has_no_freedom(const Law& law, const Points& points) {
    const auto counted = std::count_if(points.weight.begin(), points.weight.end(), [](double w) { return w > 0; });
    return static_cast<std::size_t>(counted) <= free_parameters(law);
}

std::string ratio_text(double ratio) {
    if (std::isinf(ratio)) { return "over 1e308"; }
    return ratio == 0 ? "under 1e-308" : fmt::format("{:.3g}", ratio);
}

void check_draws(std::size_t draws, std::vector<Warning>& found) {
    if (draws >= fewest_draws) { return; }
    found.push_back({"few_resamples",
                     fmt::format("{} resamples: the ends of a 95% interval want {} or more", draws, fewest_draws)});
}

void check_condition(double condition, std::vector<Warning>& found) {
    if (condition <= ill_conditioned) { return; }
    found.push_back(
        {"ill_conditioned", std::isfinite(condition)
                                ? fmt::format("condition number {:.2g}: some combination of the parameters is hardly "
                                              "determined",
                                              condition)
                                : "some combination of the parameters leaves every prediction unchanged: it is not "
                                  "determined at all"});
}

void check_inside(const std::vector<NamedEstimate>& estimates,
                  const std::vector<std::vector<NamedEstimate>>& predictions, std::vector<Warning>& found) {
    std::string names;
    std::size_t count = 0;
    const auto look_at = [&](const NamedEstimate& one, const std::string& place) {
        const Estimate& e = one.estimate;
        if (!is_outside(e) || ++count > most_named) { return; }
        names += fmt::format("{}{}{} = {:.4g} outside of {:.4g} to {:.4g}", names.empty() ? "" : "; ", one.name, place,
                             e.value, e.low, e.high);
    };
    for (const NamedEstimate& one : estimates) { look_at(one, ""); }
    for (const auto& prediction : predictions) {
        const auto& [name, budget] = prediction.front();
        for (const NamedEstimate& one : prediction) {
            look_at(one, fmt::format(" at {} = {:.4g}", name, budget.value));
        }
    }
    if (count == 0) { return; }
    found.push_back({"outside_interval",
                     fmt::format("{}{}: the resamples' fits lie to one side of the estimate, so neither it nor the "
                                 "interval is to be relied on",
                                 names, count > most_named ? fmt::format("; and {} more", count - most_named) : "")});
}

std::vector<Warning> find_caveats(const Inference& inference) {
    std::vector<Warning> found;
    check_plausibility(inference, found);
    check_design(inference, found);
    check_optimum(inference, found);
    check_residuals(inference, found);
    check_intervals(inference, found);
    std::vector<NamedEstimate> estimates = inference.parameters;
    estimates.insert(estimates.end(), inference.derived.begin(), inference.derived.end());
    check_inside(estimates, inference.predictions, found);
    return found;
}

}  // namespace loglog
