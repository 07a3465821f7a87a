#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace loglog {

inline constexpr std::size_t max_variables = 3;

/// The numbers a law is fitted to: one measured loss per point. Logarithms are taken once and centred, which takes most
/// of the correlation out of the search (A and alpha of A N^-alpha move together unless N is measured from its middle).
struct Points {
    std::size_t variables = 1;                            ///< how many of a row's columns are used
    std::array<double, max_variables> centre{};           ///< mean of ln x over the points
    std::vector<std::array<double, max_variables>> ln_x;  ///< [points] ln x - centre
    std::vector<double> loss;                             ///< [points] nats per token
    std::vector<double> ln_loss;                          ///< [points]
    std::vector<double> weight;                           ///< [points] precision, 1 on average; 0: not drawn
    /// [points] which ones are not independent, 0 ... groups - 1 without gaps; empty: each is by itself.
    std::vector<std::size_t> group;

    std::size_t size() const noexcept { return loss.size(); }
    double x(std::size_t point, std::size_t variable) const;
};

/// `columns` holds one span of positive values per variable of a law, each as long as `loss` (positive too).
/// Throws InputError for unequal lengths and for values that are not positive and finite.
Points make_points(std::span<const std::span<const double>> columns, std::span<const double> loss);

}  // namespace loglog
