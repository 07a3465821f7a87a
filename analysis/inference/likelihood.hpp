#pragma once

#include "analysis/laws/objective.hpp"

namespace loglog {

/// The log-likelihood of n residuals whose objective sums to `value`, under the density that the objective is the
/// maximum likelihood of: p(r) = exp(-rho(r)/t) / Z(t), with t chosen to make it largest. Squares give the normal
/// density, absolute values Laplace's, and Huber's penalty the density that is normal up to delta and exponential
/// beyond (Huber 1964, doi:10.1214/aoms/1177703732, section 6), so that laws fitted by any one objective are compared
/// by the measure they were fitted with.
///
/// Only differences between laws fitted to the same losses with the same objective mean something.
double log_likelihood(const Objective& objective, double value, double n);

/// Akaike's criterion corrected for few points (Hurvich and Tsai 1989, doi:10.1093/biomet/76.2.297), -2 ln L + 2k +
/// 2k(k+1)/(n-k-1), where k counts the scale too; infinite where n - k - 1 is not positive.
double corrected_aic(double log_likelihood, double n, double parameters);

/// How much the larger of two nested laws gains.
struct NestedComparison {
    double likelihood_ratio = 0;  ///< 2 (ln L_larger - ln L_smaller)
    int degrees = 0;
    double p = 1;
};

/// p of the likelihood ratio by F = (exp(ratio/n) - 1)(n - p_larger)/degrees: for squares that is the F test, for
/// others the same allowance for few points. `at_bound`: the smaller law is the larger one with a parameter at its
/// bound, where chance gains in half of the cases only (Chernoff 1954, doi:10.1214/aoms/1177728725).
NestedComparison compare_nested(double smaller, double larger, double n, int smaller_parameters, int larger_parameters,
                                bool at_bound);

}  // namespace loglog
