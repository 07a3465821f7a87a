#include "analysis/inference/likelihood.hpp"

#include <algorithm>
#include <boost/math/distributions/fisher_f.hpp>
#include <boost/math/tools/minima.hpp>
#include <cmath>
#include <limits>
#include <numbers>

namespace loglog {
namespace {

constexpr double rounding = 1e-24;  // of a squared residual: noise-free losses are met to 1e-12

/// ln of the integral of exp(-rho(r)/t) over all r, rho Huber's penalty with threshold `delta`.
double ln_normaliser(double t, double delta) {
    const double z = delta / std::sqrt(2 * t);
    const double inside = std::sqrt(2 * std::numbers::pi * t) * std::erf(z);
    const double tails = 2 * t / delta * std::exp(-z * z);
    return std::log(inside + tails);
}

}  // namespace

double log_likelihood(const Objective& objective, double value, double n) {
    const double sum = std::max(value, rounding * n);
    switch (objective.penalty) {
        case Objective::Penalty::squares:
            return -n / 2 * (std::log(4 * std::numbers::pi * sum / n) + 1);
        case Objective::Penalty::absolute:
            return -n * (std::log(2 * sum / n) + 1);
        case Objective::Penalty::huber:
            break;
    }
    const auto cost = [&](double ln_t) {
        return sum / std::exp(ln_t) + n * ln_normaliser(std::exp(ln_t), objective.delta);
    };
    // t is S/n in the exponential limit and 2S/n in the normal one.
    const double middle = std::log(sum / n);
    const auto [ln_t, least] = boost::math::tools::brent_find_minima(cost, middle - 2, middle + 3, 40);
    static_cast<void>(ln_t);
    return -least;
}

double corrected_aic(double log_likelihood, double n, double parameters) {
    const double k = parameters + 1;
    const double left = n - k - 1;
    if (left <= 0) { return std::numeric_limits<double>::infinity(); }
    return -2 * log_likelihood + 2 * k + 2 * k * (k + 1) / left;
}

NestedComparison compare_nested(double smaller, double larger, double n, int smaller_parameters, int larger_parameters,
                                bool at_bound) {
    NestedComparison result;
    result.degrees = larger_parameters - smaller_parameters;
    // The smaller law cannot do better than what contains it: the rest is rounding.
    result.likelihood_ratio = std::max(0.0, 2 * (larger - smaller));
    const double left = n - larger_parameters;
    if (result.degrees <= 0 || left < 1) {
        result.p = std::numeric_limits<double>::quiet_NaN();
        return result;
    }
    const double f = std::expm1(std::min(result.likelihood_ratio / n, 700.0)) * left / result.degrees;
    result.p = cdf(complement(boost::math::fisher_f{static_cast<double>(result.degrees), left}, f));
    if (at_bound) { result.p /= 2; }
    return result;
}

}  // namespace loglog
