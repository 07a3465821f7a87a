#pragma once

#include <cmath>
#include <vector>

#include "analysis/laws/law.hpp"
#include "engine/base/random.hpp"

namespace loglog {

/// Losses of E + A/N^alpha + B/D^beta on a grid of sizes and token counts, times exp(noise * normal).
struct SyntheticRuns {
    double floor = 1.7, a = 400, b = 600, alpha = 0.34, beta = 0.3;
    std::vector<double> n, d, loss;

    void fill(int sizes, int counts, double noise, Seed seed) {
        const Random random{seed, Stream::synthetic_data};
        for (int i = 0; i < sizes; ++i) {
            for (int j = 0; j < counts; ++j) {
                n.push_back(1e6 * std::pow(3.0, i));
                d.push_back(1e8 * std::pow(3.0, j));
                loss.push_back((floor + a * std::pow(n.back(), -alpha) + b * std::pow(d.back(), -beta)) *
                               std::exp(noise * random.normal(loss.size())));
            }
        }
    }
    Points points() const {
        const std::span<const double> columns[] = {n, d};
        return make_points(columns, loss);
    }
};

/// L = E + (Xc/X)^alpha at `count` values of X, a factor of 4 apart.
inline Points saturating_points(double floor, double xc, double alpha, int count, double noise = 0,
                                Seed seed = Seed{1}) {
    const Random random{seed, Stream::synthetic_data};
    std::vector<double> x;
    std::vector<double> loss;
    for (int i = 0; i < count; ++i) {
        x.push_back(1e5 * std::pow(4.0, i));
        loss.push_back((floor + std::pow(xc / x.back(), alpha)) *
                       std::exp(noise * random.normal(static_cast<std::uint64_t>(i))));
    }
    const std::span<const double> columns[] = {x};
    return make_points(columns, loss);
}

}  // namespace loglog
