#include "analysis/inference/random_effect.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "analysis/inference/refit.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr int most_rounds = 20;
constexpr double still = 1e-3;  // relative change of tau^2
constexpr int halvings = 200;   // to the last bit of a double

/// Variances of the means that the seeds alone explain.
std::vector<double> seed_variances(const AveragedRows& rows, double sigma_squared) {
    std::vector<double> variances;
    for (const double count : rows.count) { variances.push_back(sigma_squared / count); }
    return variances;
}

double weighted_squares(const std::vector<double>& residuals, const std::vector<double>& variances,
                        double tau_squared) {
    double sum = 0;
    for (std::size_t g = 0; g < residuals.size(); ++g) {
        if (residuals[g] != 0) { sum += residuals[g] * residuals[g] / (tau_squared + variances[g]); }
    }
    return sum;
}

/// Where the weighted squares, which fall with tau^2, are `degrees`. They are at most sum r^2 / tau^2.
double solve_tau_squared(const std::vector<double>& residuals, const std::vector<double>& variances, double degrees) {
    if (weighted_squares(residuals, variances, 0) <= degrees) { return 0; }
    double low = 0;
    double high = std::inner_product(residuals.begin(), residuals.end(), residuals.begin(), 0.0) / degrees;
    for (int i = 0; i < halvings && high - low > 1e-15 * high; ++i) {
        const double middle = (low + high) / 2;
        (weighted_squares(residuals, variances, middle) > degrees ? low : high) = middle;
    }
    return high;
}

void set_weights(Points& means, const std::vector<double>& variances, const AveragedRows& rows, double tau_squared) {
    double sum = 0;
    for (std::size_t g = 0; g < means.size(); ++g) {
        const double variance = tau_squared + variances[g];
        means.weight[g] = variance > 0 ? 1 / variance : rows.count[g];  // no noise at all: as small noise would
        sum += means.weight[g];
    }
    for (double& weight : means.weight) { weight *= static_cast<double>(means.size()) / sum; }
}

std::vector<double> residuals_of(const Law& law, const Points& means, Objective::Residual residual,
                                 const Values& coordinates) {
    std::vector<double> residuals;
    for (std::size_t g = 0; g < means.size(); ++g) {
        const double predicted = law.log_loss(coordinates, means.ln_x[g]);
        residuals.push_back(residual == Objective::Residual::log ? means.ln_loss[g] - predicted
                                                                 : means.loss[g] - std::exp(predicted));
    }
    return residuals;
}

void require_estimable(const Law& law, std::size_t places, const AveragedRows& rows) {
    if (rows.degrees == 0) {
        throw InputError{
            fmt::format("--seeds random-effect: no two of the {} rows are at the same place (equal {}{}), so that "
                        "nothing tells seeds from places; without repeated seeds use --seeds each",
                        places, law.variables()[0], law.variables().size() > 1 ? " and the other variables" : "")};
    }
    if (places <= free_parameters(law)) {
        throw InputError{
            fmt::format("--seeds random-effect: {} places are not more than the {} parameters of '{}': "
                        "nothing is left to tell how places differ; use --seeds average",
                        places, free_parameters(law), law.name())};
    }
}

}  // namespace

SeedEffects weigh_by_random_effect(const Law& law, Points& means, Objective::Residual residual,
                                   const AveragedRows& rows) {
    require_estimable(law, means.size(), rows);
    const Objective squares{residual, Objective::Penalty::squares, 1};
    const double sigma_squared = rows.squares / static_cast<double>(rows.degrees);
    const auto degrees = static_cast<double>(means.size() - free_parameters(law));
    const auto variances = seed_variances(rows, sigma_squared);
    double tau_squared = 0;
    bool is_settled = false;
    std::vector<Values> near;
    for (int round = 0; round < most_rounds && !is_settled; ++round) {
        set_weights(means, variances, rows, tau_squared);
        const Refit fit = refit("", law, means, squares, near);
        if (!fit.failure.empty()) { throw InputError{"--seeds random-effect: " + fit.failure}; }
        near = {fit.coordinates};
        const double next = solve_tau_squared(residuals_of(law, means, residual, fit.coordinates), variances, degrees);
        is_settled = std::abs(next - tau_squared) <= still * next;
        tau_squared = next;
    }
    set_weights(means, variances, rows, tau_squared);
    return {Repeats::random_effect,   means.size(),           rows.degrees, residual,
            std::sqrt(sigma_squared), std::sqrt(tau_squared), is_settled};
}

}  // namespace loglog
