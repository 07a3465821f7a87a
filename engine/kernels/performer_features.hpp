#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/attention.hpp"
#include "engine/kernels/context.hpp"

namespace loglog {

/// Whose features: what is taken off the exponents differs.
enum class PerformerSide : std::uint8_t { queries, keys };

struct PerformerSizes {
    std::size_t rows = 0;
    std::size_t heads = 0;
    std::size_t head_dim = 0;
    std::size_t features = 0;
};

/// Exponents of keys are at most this, so that products with features of queries stay far from overflow.
inline constexpr double performer_most_exponent = 30;
/// Added to each exponential.
inline constexpr double performer_floor = 1e-4;

/// From projections w_r . x' to features phi_r = features^-1/2 (exp(w_r . x' - |x'|^2 / 2 - c) + floor), with
/// x' = x head_dim^-1/4 and c a query's largest exponent, or 0 (Choromanski et al. 2021, arXiv:2009.14794, sec. 2.3).
template <class T>
struct PerformerForward {
    PerformerSizes sizes;
    PerformerSide side;
    HeadsView<const T> x;
    T* phi;  // [rows, heads, features]: projections, which are replaced
};

/// From the gradients of features to those of exponents, and what these give x through |x'|^2; the projections' part is
/// a product with the directions, added by the caller.
template <class T>
struct PerformerBackward {
    PerformerSizes sizes;
    PerformerSide side;
    HeadsView<const T> x;
    const T* phi;
    T* gradient;  // [rows, heads, features]: of features, replaced by that of exponents
    HeadsView<T> dx;
};

template <class T>
Cost cost(const PerformerForward<T>&);
template <class T>
Cost cost(const PerformerBackward<T>&);
template <class T>
void run(CpuContext&, const PerformerForward<T>&);
template <class T>
void run(CpuContext&, const PerformerBackward<T>&);

}  // namespace loglog
