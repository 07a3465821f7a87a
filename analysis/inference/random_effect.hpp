#pragma once

#include <vector>

#include "analysis/inference/seed_effects.hpp"
#include "analysis/laws/law.hpp"

namespace loglog {

/// The rows behind points that are means over a place.
struct AveragedRows {
    std::vector<double> count;  ///< [points] rows, or the sum of their weights where they have some
    double squares = 0;         ///< weighted squared deviations of all rows from their place's mean
    std::size_t degrees = 0;    ///< rows - points
};

/// Gives each mean the weight 1 / (tau^2 + sigma^2 / count), divided by the weights' mean.
///
/// sigma^2 is pooled within the places. tau^2 is Paule and Mandel's estimate (1982, J. Res. Natl. Bur. Stand. 87, 377):
/// the one at which sum_g r_g^2 / (tau^2 + sigma^2/n_g) is its expectation, here places - parameters, or 0 where that
/// is met without it. r are the means' residuals about the law fitted by least squares with those weights, in ln loss
/// or nats; fit and tau^2 take turns until tau^2 moves by less than 1e-3 of itself, 20 rounds at most.
///
/// Throws InputError where no place has two rows, and where there are not more places than free parameters.
SeedEffects weigh_by_random_effect(const Law& law, Points& means, Objective::Residual residual,
                                   const AveragedRows& rows);

}  // namespace loglog
