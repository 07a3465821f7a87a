#include "analysis/curve/curve_caveats.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/inference/checks.hpp"

namespace loglog {
namespace {

constexpr double least_agreement = 0.5;
constexpr std::size_t fewest_curves = 5;

void check_curves(const CurveFit& fit, std::span<const Curve> train, std::vector<Warning>& found) {
    found.push_back({"repeated_run",
                     fmt::format("{} losses of {} run{}: those of one run are not independent, so the number of losses "
                                 "says nothing of how sure the parameters are",
                                 fit.n_points, train.size(), train.size() == 1 ? "" : "s")});
    if (train.size() == 1) {
        found.push_back({"one_schedule",
                         "one schedule only: what the decay does and what the sum of rates does cannot be told apart; "
                         "add a run with another schedule, such as a constant rate"});
    }
    if (train.size() < fewest_curves) {
        found.push_back({"few_runs", fmt::format("{} run{} to fit: too few to resample ({} are wanted), so no interval "
                                                 "is given; look at the held-out errors instead",
                                                 train.size(), train.size() == 1 ? "" : "s", fewest_curves)});
    }
    if (fit.n_points < 3 * fit.form->parameters().size()) {
        found.push_back({"few_points", fmt::format("{} losses for {} parameters; at least {} are wanted", fit.n_points,
                                                   fit.form->parameters().size(), 3 * fit.form->parameters().size())});
    }
}

void check_optimum(const CurveFit& fit, std::vector<Warning>& found) {
    const auto specs = fit.form->parameters();
    for (std::size_t k = 0; k < specs.size(); ++k) {
        const double q = fit.best.coordinates[k];
        if (q <= specs[k].lower || q >= specs[k].upper) {
            found.push_back({"at_bound", fmt::format("{} ended at its {} bound: the data do not determine it",
                                                     specs[k].name, q <= specs[k].lower ? "lower" : "upper")});
        }
    }
    check_condition(fit.best.condition, found);
    if (fit.agreeing < least_agreement * fit.starts) {
        found.push_back(
            {"starts_disagree",
             fmt::format("{} of {} starts reached the optimum; another one may lie lower", fit.agreeing, fit.starts)});
    }
    if (!fit.best.converged) {
        found.push_back({"not_converged", "the last descent stopped before its gradient vanished"});
    }
}

}  // namespace

std::vector<Warning> curve_caveats(const CurveFit& fit, std::span<const Curve> train) {
    std::vector<Warning> found;
    check_curves(fit, train, found);
    check_optimum(fit, found);
    return found;
}

}  // namespace loglog
