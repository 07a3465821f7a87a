#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/inference/checks.hpp"

namespace loglog {
namespace {

constexpr double ill_conditioned = 1e5;  // published fits that are sound lie near 1e3
constexpr double least_agreement = 0.5;  // share of starts
constexpr int fewest_resamples = 200;    // for the ends of a 95% interval

void check_optimum(const Inference& fit, std::vector<Warning>& found) {
    const auto specs = fit.law->parameters();
    for (std::size_t k = 0; k < specs.size(); ++k) {
        const double q = fit.optimum.best.coordinates[k];
        if (q <= specs[k].lower || q >= specs[k].upper) {
            found.push_back({"at_bound", fmt::format("{} ended at its {} bound: the data do not determine it",
                                                     specs[k].name, q <= specs[k].lower ? "lower" : "upper")});
        }
    }
    if (fit.condition > ill_conditioned) {
        found.push_back({"ill_conditioned",
                         fmt::format("condition number {:.2g}: some combination of the parameters is hardly determined",
                                     fit.condition)});
    }
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

void check_intervals(const Inference& fit, std::vector<Warning>& found) {
    for (const auto& [name, e] : fit.parameters) {
        if (!std::isfinite(e.low)) { continue; }
        if (name == "E" && e.low <= 0.01 * *std::min_element(fit.points.loss.begin(), fit.points.loss.end())) {
            found.push_back({"floor_not_identified",
                             fmt::format("the interval of E, {:.4g} to {:.4g}, reaches zero: these data show no floor",
                                         e.low, e.high)});
        } else if (is_scale(name) ? e.high > 1000 * e.low : e.high - e.low > std::abs(e.value)) {
            found.push_back({"wide_interval", fmt::format("{} = {:.4g} is known only within {:.4g} to {:.4g}", name,
                                                          e.value, e.low, e.high)});
        }
    }
    const int used = static_cast<int>(fit.resamples.natural.size());
    if (fit.resamples.requested > 0 && used < fewest_resamples) {
        found.push_back({"few_resamples", fmt::format("{} resamples: the ends of a 95% interval want {} or more", used,
                                                      fewest_resamples)});
    }
    if (fit.resamples.degenerate > 0) {
        found.push_back({"degenerate_resamples",
                         fmt::format("{} of {} resamples held fewer distinct points than the law has parameters and "
                                     "were left out",
                                     fit.resamples.degenerate, fit.resamples.requested)});
    }
}

}  // namespace

std::vector<Warning> find_caveats(const Inference& inference) {
    std::vector<Warning> found;
    check_plausibility(inference, found);
    check_design(inference, found);
    check_optimum(inference, found);
    check_residuals(inference, found);
    check_intervals(inference, found);
    return found;
}

}  // namespace loglog
