#pragma once

#include <vector>

#include "analysis/laws/law.hpp"

namespace loglog {

/// What a fit leaves: residuals at equal precision, and how large they are.
struct Noise {
    std::vector<double>
        residuals;       ///< [points] (measured - predicted) sqrt(weight), logarithms or nats as the objective
    double scale = 0;    ///< standard deviation of one of weight 1
    double degrees = 0;  ///< points with weight less free parameters
};

/// The scale is the root of the squares' sum over the degrees of freedom for the squared penalty. The robust penalties
/// take 1.4826 times the median |r| (equal for normal noise), which gross outliers cannot move; as many of the smallest
/// |r| as there are parameters are left out of it, since a fit of least |r| passes through that many points exactly
/// (Koenker 2005, "Quantile Regression", sec. 2.2).
Noise noise_of(const Law& law, const Points& points, const Objective& objective, const Values& coordinates);

/// Parameters that the data could move: not at a bound.
std::size_t free_parameters(const Law& law, const Values& coordinates);

}  // namespace loglog
