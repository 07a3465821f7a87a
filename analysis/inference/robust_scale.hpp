#pragma once

#include <vector>

#include "analysis/bootstrap/noise.hpp"

namespace loglog {

/// How an objective weighs the noise that a fit left.
struct RobustScale {
    double curvature;  ///< E[psi'(r)]: 1 for least squares
    double variance;   ///< E[psi(r)^2] over unit weight, corrected for degrees of freedom
    /// Twice the objective's rise, over this, is chi-squared with one degree of freedom where one parameter is held at
    /// its truth: E[psi^2] / E[psi'].
    double rise() const noexcept { return variance / curvature; }
    /// Variance of the parameters per unit of the inverse of sum w g g^T: E[psi^2] / E[psi']^2 (Huber 1981, "Robust
    /// Statistics", sec. 7.6).
    double spread() const noexcept { return variance / (curvature * curvature); }
};

/// psi is the derivative of the penalty with this threshold (see Objective::threshold). Few residuals lie within a
/// small threshold, so that their share is taken from a density smoothed by a normal kernel (Silverman 1986, "Density
/// Estimation", eq. 3.31).
RobustScale robust_scale(const Noise& noise, double threshold);

}  // namespace loglog
