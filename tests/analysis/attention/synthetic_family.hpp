#pragma once

#include <cmath>
#include <vector>

#include "analysis/attention/family_fit.hpp"
#include "engine/base/random.hpp"

namespace loglog {

/// Losses of variants with known laws L_v(C) = floor + (C / scale_v)^-exponent_v at `sizes` costs a factor of 6 apart.
/// Noise is normal in ln L: a part that all variants of a (size, seed) pair share, and a part of their own.
struct SyntheticFamily {
    double floor = 0;
    std::vector<double> exponents{0.07, 0.07, 0.07};
    std::vector<double> multipliers{1.0, 1.25, 0.8};  ///< over the first variant
    int sizes = 3;
    int seeds = 2;
    double shared_noise = 0.002;
    double own_noise = 0.0022;  ///< together 0.3%

    int variants() const { return static_cast<int>(multipliers.size()); }
    int rows() const { return sizes * seeds; }
    /// ln C of the first variant at a size; the others cost a few percent more or less.
    double ln_cost(int variant, int size) const { return std::log(1e13) + size * std::log(6.0) + 0.03 * variant; }
    double loss(int variant, double ln_cost) const {
        const auto v = static_cast<std::size_t>(variant);
        const double middle = std::log(1e13) + 0.5 * (sizes - 1) * std::log(6.0);
        return floor + std::exp(1.2 - exponents[v] * (ln_cost - middle + std::log(multipliers[v])));
    }
    std::vector<LossPoint> points(std::uint64_t experiment) const {
        const Random random{Seed{20260}, Stream::synthetic_data, experiment};
        std::vector<LossPoint> list;
        std::uint64_t draw = 0;
        for (int row = 0; row < rows(); ++row) {
            const double shared = shared_noise * random.normal(draw++);
            for (int v = 0; v < variants(); ++v) {
                const double x = ln_cost(v, row / seeds);
                const double noise = shared + own_noise * random.normal(draw++);
                list.push_back({v, row, x, loss(v, x) * std::exp(noise)});
            }
        }
        return list;
    }
};

}  // namespace loglog
