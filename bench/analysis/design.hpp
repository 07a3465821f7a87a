#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "analysis/laws/law.hpp"
#include "engine/base/random.hpp"

namespace loglog {

/// Where a made-up study has its runs.
struct Design {
    std::string name;
    std::vector<double> n, d;
};

/// Every size at every token count.
inline Design grid_design(int sizes, int counts) {
    Design design{"grid", {}, {}};
    for (int i = 0; i < sizes; ++i) {
        for (int j = 0; j < counts; ++j) {
            design.n.push_back(4e7 * std::pow(400.0, i / (sizes - 1.0)));
            design.d.push_back(1e9 * std::pow(300.0, j / (counts - 1.0)));
        }
    }
    return design;
}

/// Sizes within a factor of 5 of 20 tokens a parameter, for budgets from 6e18 to 3e21 FLOPs.
inline Design isoflop_design(int budgets, int sizes) {
    Design design{"iso-FLOP", {}, {}};
    for (int i = 0; i < budgets; ++i) {
        const double budget = 6e18 * std::pow(500.0, i / (budgets - 1.0));
        for (int j = 0; j < sizes; ++j) {
            const double n = std::sqrt(budget / 120) * std::pow(25.0, j / (sizes - 1.0) - 0.5);
            design.n.push_back(n);
            design.d.push_back(budget / (6 * n));
        }
    }
    return design;
}

/// Sizes from 5e7 to 1.6e10 at 2 to 200 tokens a parameter, as in Hoffmann et al. 2022, figure 4.
inline Design scattered_design(int runs) {
    Design design{"scattered", {}, {}};
    const Random random{Seed{2203}, Stream::synthetic_data};
    for (int i = 0; i < runs; ++i) {
        const auto at = static_cast<std::uint64_t>(i);
        design.n.push_back(5e7 * std::pow(320.0, random.uniform(2 * at)));
        design.d.push_back(design.n.back() * 2 * std::pow(100.0, random.uniform(2 * at + 1)));
    }
    return design;
}

/// L = 1.82 + 482 N^-0.348 + 2085 D^-0.366: about Besiroglu et al. 2024.
inline constexpr Values design_truth{1.82, 482, 2085, 0.348, 0.366};

/// Losses of the truth times exp(noise * normal), the `set`-th such data set.
inline Points design_points(const Design& design, double noise, std::uint64_t set) {
    const Random random{Seed{500}, Stream::synthetic_data, set};
    std::vector<double> loss;
    for (std::size_t i = 0; i < design.n.size(); ++i) {
        const auto& [floor, a, b, alpha, beta] =
            std::array<double, 5>{design_truth[0], design_truth[1], design_truth[2], design_truth[3], design_truth[4]};
        loss.push_back((floor + a * std::pow(design.n[i], -alpha) + b * std::pow(design.d[i], -beta)) *
                       std::exp(noise * random.normal(i)));
    }
    const std::span<const double> columns[] = {design.n, design.d};
    return make_points(columns, loss);
}

}  // namespace loglog
