#pragma once

#include <optional>
#include <vector>

#include "analysis/attention/paired_resampling.hpp"

namespace loglog {

/// What a variant buys: the cost that the baseline needs for a loss over the cost that the variant needs.
struct Multiplier {
    double loss = 0;            ///< nats per token, at which it is stated
    Estimate estimate{};        ///< above 1: the variant is cheaper; NaN where a law never reaches the loss
    bool extrapolated = false;  ///< one of the two costs lies beyond the variant's runs by more than a factor of 2
};

/// The multiplier of a fit; nothing where a law never reaches the loss.
std::optional<double> cost_multiplier(const FamilyFit& fit, int baseline, int variant, double loss);

Multiplier multiplier(const std::vector<LossPoint>& points, const FamilyFit& fit, const FamilyResamples& resamples,
                      int baseline, int variant, double loss);

/// The exponent of a variant, or its difference to the baseline's, with the interval over the resamples.
Estimate exponent(const FamilyFit& fit, const FamilyResamples& resamples, int variant);
Estimate exponent_difference(const FamilyFit& fit, const FamilyResamples& resamples, int baseline, int variant);

}  // namespace loglog
