#include "analysis/approaches/approaches.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "analysis/envelope/envelope.hpp"
#include "analysis/isoflop/isoflop.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

// Largest over smallest compute of the rows taken as one budget. Neighbours within 5% are one; rows that lie all along
// C chain up, and their "valley" is a slope. Over a factor of 1.5 the optimum moves by about as much as a step of
// sizes.
constexpr double widest_budget = 1.5;

std::map<std::string, std::string> columns_of(const Question& question) {
    auto mapping = question.mapping;
    if (!question.loss.empty()) { mapping["loss"] = question.loss; }
    return mapping;
}

InferenceOptions plain_options(const Question& question) {
    InferenceOptions options;
    options.objective = question.inference.objective;
    options.bootstrap = question.inference.bootstrap;
    options.bootstrap.resamples = 0;
    return options;
}

/// Budgets that gave no optimum are counted, not listed; noise matters to intervals alone.
std::vector<std::string> caveats_of(const OptimaFit& fit) {
    std::set<std::string> codes;
    for (const Warning& warning : fit.warnings) { codes.insert(warning.code); }
    codes.erase("no_optimum");
    codes.erase("noise_assumed");
    return {codes.begin(), codes.end()};
}

std::size_t used_budgets(const OptimaFit& fit) {
    return static_cast<std::size_t>(std::count_if(fit.optima.budgets.begin(), fit.optima.budgets.end(),
                                                  [](const BudgetOptimum& budget) { return budget.used; }));
}

Refit refit_of(const OptimaFit& fit, std::string choice) {
    Refit result;
    result.choice = std::move(choice);
    result.n_points = fit.n_points;
    result.value = fit.objective_value;
    result.caveats = caveats_of(fit);
    for (const auto& [name, estimate] : fit.parameters) { result.derived.emplace_back(name, estimate.value); }
    return result;
}

void require_separate_budgets(const OptimaFit& fit) {
    for (const BudgetOptimum& budget : fit.optima.budgets) {
        if (!budget.used || budget.compute_spread <= widest_budget) { continue; }
        throw InputError{
            fmt::format("the rows are no separate budgets: {} of them, each within 5% of the next, span a "
                        "factor of {:.3g} in C",
                        budget.n_points, budget.compute_spread)};
    }
}

Refit by_valleys(const Dataset& data, const Question& question) {
    IsoflopQuestion asked;
    asked.mapping = columns_of(question);
    asked.inference = plain_options(question);
    const OptimaFit fit = fit_isoflop(data, std::move(asked));
    require_separate_budgets(fit);
    return refit_of(
        fit, fmt::format("approach 2: valleys at {} of {} budgets", used_budgets(fit), fit.optima.budgets.size()));
}

Refit by_envelope(const Dataset& data, const Question& question) {
    const auto mapping = columns_of(question);
    if (!has_column(data, "run", mapping)) {
        throw InputError{
            "the rows are no whole curves: no column 'run' says which belong together (runs of a registry: "
            "--law envelope reads their curves)"};
    }
    EnvelopeQuestion asked;
    asked.inference = plain_options(question);
    auto curves = curves_of(data, mapping, asked.inference.warnings);
    const std::size_t runs = curves.size();
    std::erase_if(curves, [](const TrainingCurve& curve) { return curve.loss.size() < 2; });
    if (curves.empty()) {
        throw InputError{fmt::format("the rows are no whole curves: each of {} runs has one", runs)};
    }
    return refit_of(fit_envelope(curves, std::move(asked)),
                    fmt::format("approach 1: envelope of {} curves", curves.size()));
}

template <class Approach>
Refit attempt(const char* name, const Approach& approach) {
    try {
        return approach();
    } catch (const InputError& error) {
        Refit failed;
        failed.choice = name;
        failed.failure = error.what();
        return failed;
    }
}

}  // namespace

std::vector<Refit> refit_by_approaches(const Dataset& data, const Question& question, const Law& law) {
    if (!has_frontier(law)) { return {}; }
    return {attempt("approach 2: valleys", [&] { return by_valleys(data, question); }),
            attempt("approach 1: envelope", [&] { return by_envelope(data, question); })};
}

}  // namespace loglog
