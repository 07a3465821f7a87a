#pragma once

#include <string>
#include <vector>

#include "analysis/bootstrap/bootstrap.hpp"

namespace loglog {

/// [rows][columns]; NaN where a parameter was held or ended at a bound, empty where nothing is known.
using Covariances = std::vector<std::vector<double>>;

/// How the errors of the parameters go together. Scales enter by their logarithm (so the ridge between A and alpha is a
/// straight one), and a parameter searched as its inverse by that.
struct ParameterCovariance {
    std::vector<std::string> names;  ///< "E", "ln A", ...: in the order of the law's parameters
    Covariances asymptotic;          ///< covariance; see parameter_covariance()
    Covariances bootstrap;           ///< covariance over the resamples
};

/// The asymptotic covariance is that of M-estimates, E[psi^2] / E[psi']^2 times the inverse of sum w g g^T over the
/// points, g the gradient of a point's residual (Huber 1981, sec. 7.6). Where points are grouped the middle is the sum
/// over groups of their scores' squares, times groups / (groups - 1) (Liang and Zeger 1986, "Longitudinal data
/// analysis using generalized linear models").
ParameterCovariance parameter_covariance(const Law& law, const Points& points, const Objective& objective,
                                         const Optimum& optimum, const Resamples& resamples);

/// Covariances over the root of both variances.
Covariances correlation(const Covariances& covariance);

}  // namespace loglog
