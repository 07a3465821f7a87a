#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/inference/inference.hpp"
#include "analysis/isoflop/optima.hpp"

namespace loglog {

/// How much each budget counts in the regressions of ln N_opt and ln D_opt on ln C.
enum class BudgetWeights {
    equal,
    error,  ///< 1 / variance of ln N_opt
};

/// Parses "equal", "error". Throws InputError.
BudgetWeights parse_weights(std::string_view text);
const char* to_text(BudgetWeights weights) noexcept;

/// The saturating law L = E + (Xc/C)^alpha through the optimum losses.
struct OptimumLoss {
    Objective objective;
    double value = 0;  ///< of the objective
    std::vector<NamedEstimate> parameters;
};

/// What the method gives on the losses of a surface fitted to the same runs, beside that surface's own optimum.
struct SurfaceBias {
    std::vector<std::pair<std::string, double>> parameters;  ///< of the surface, L = E + A N^-alpha + B D^-beta
    double a = 0;                                            ///< exponent of the surface's optima at the budgets used
    double bias_a = 0;                                       ///< that which the method finds on the surface, minus `a`
    std::vector<double> bias_n;              ///< [budgets] method's N over the surface's, minus 1; NaN if not used
    std::vector<double> bias_n_predictions;  ///< [predictions] likewise by both regressions
};

/// Optimal sizes and token counts as power laws of compute: what approaches 1 and 2 of Hoffmann et al. come to.
struct OptimaFit {
    std::string law;     ///< "isoflop", "envelope"
    std::string method;  ///< how the optima were found, in words
    std::size_t n_points = 0;
    BudgetWeights weights = BudgetWeights::equal;
    LossNoise noise;
    std::size_t draws = 0;
    Optima optima;
    double objective_value = 0;             ///< weighted half sum of squares of ln N_opt around its line
    double scatter = 0;                     ///< chi-squared per degree of freedom of that line; NaN without errors
    std::vector<NamedEstimate> parameters;  ///< a, b: exponents of N_opt and D_opt
    std::vector<NamedEstimate> derived;     ///< kN, kD: N_opt = kN C^a, D_opt = kD C^b
    std::optional<OptimumLoss> loss;
    std::vector<std::vector<NamedEstimate>> predictions;
    std::optional<SurfaceBias> surface;
    std::vector<Exclusion> excluded;
    std::vector<Warning> warnings;
};

/// Weighted least squares of ln N_opt and ln D_opt on ln C over the budgets that are used, repeated for every draw, and
/// the optimum loss as a saturating law of C. Optima without D or loss (NaN) give no b or no loss. Fills everything
/// but law, method, noise and surface; adds its caveats to `fit.warnings`.
///
/// Throws InputError if fewer than two budgets are used.
void fit_optima(OptimaFit& fit, const InferenceOptions& options);

/// Line through (ln C, y) of the budgets used, y = intercept + slope (ln C - centre).
struct ComputeLine {
    double centre = 0;
    double intercept = 0;
    double slope = 0;

    double operator()(double ln_c) const { return intercept + slope * (ln_c - centre); }
};
/// `y` has one entry a budget; those that are NaN or of unused budgets do not count.
ComputeLine fit_line(const Optima& optima, BudgetWeights weights, const std::vector<double>& y);

/// The JSON object documented in docs/formats.md.
std::string to_json(const OptimaFit& fit);

/// A table for people.
std::string to_text(const OptimaFit& fit);

}  // namespace loglog
