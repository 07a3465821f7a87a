#pragma once

#include <cstddef>
#include <span>

#include "engine/kernels/context.hpp"

namespace loglog {

/// Where the vectors that are normalised lie: token t, group g starts at t * token_stride + g * width. A plain
/// [rows, width] matrix is tokens = rows, groups = 1, token_stride = width; heads inside a fused row use groups =
/// heads.
struct RmsNormSizes {
    std::size_t tokens = 0;
    std::size_t groups = 1;
    std::size_t width = 0;
    std::size_t x_stride = 0;
    std::size_t y_stride = 0;
};

/// y = gain * x / sqrt(mean(x^2) + epsilon) over each vector (Zhang and Sennrich 2019, arXiv:1910.07467, sec. 4). The
/// gain is shared by the groups.
template <class T>
struct RmsNormForward {
    RmsNormSizes sizes;
    const T* x;
    std::span<const T> gain;  // [width]
    T* y;
    std::span<T> inv_rms;  // [tokens, groups], kept for the backward pass
    T epsilon;
};

/// `dy` has y's stride, `dx` has x's.
template <class T>
struct RmsNormBackward {
    RmsNormSizes sizes;
    const T* x;
    std::span<const T> gain;
    std::span<const T> inv_rms;
    const T* dy;
    T* dx;
    std::span<T> dgain;  // [width]
    bool accumulate_dx;
    bool accumulate_dgain;
};

template <class T>
Cost cost(const RmsNormForward<T>&);
template <class T>
Cost cost(const RmsNormBackward<T>&);
template <class T>
void run(CpuContext&, const RmsNormForward<T>&);
template <class T>
void run(CpuContext&, const RmsNormBackward<T>&);

}  // namespace loglog
