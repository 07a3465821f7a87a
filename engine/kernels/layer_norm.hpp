#pragma once

#include <cstddef>
#include <span>

#include "engine/kernels/context.hpp"

namespace loglog {

/// y = gain * (x - mean(x)) / sqrt(var(x) + epsilon) + bias over each row (Ba et al. 2016, arXiv:1607.06450; the
/// variance is the biased one).
template <class T>
struct LayerNormForward {
    std::span<const T> x;     // [rows, width]
    std::span<const T> gain;  // [width]
    std::span<const T> bias;  // [width] or empty
    std::span<T> y;           // [rows, width]
    std::span<T> mean;        // [rows], kept for the backward pass
    std::span<T> inv_std;     // [rows], kept for the backward pass
    T epsilon;
};

template <class T>
struct LayerNormBackward {
    std::span<const T> x;
    std::span<const T> gain;
    std::span<const T> mean;
    std::span<const T> inv_std;
    std::span<const T> dy;
    std::span<T> dx;          // [rows, width]
    std::span<T> dgain;       // [width]
    std::span<T> dbias;       // [width] or empty
    bool accumulate_dx;       // add to dx instead of overwriting it
    bool accumulate_dparams;  // likewise dgain and dbias
};

template <class T>
Cost cost(const LayerNormForward<T>&);
template <class T>
Cost cost(const LayerNormBackward<T>&);
template <class T>
void run(CpuContext&, const LayerNormForward<T>&);
template <class T>
void run(CpuContext&, const LayerNormBackward<T>&);

}  // namespace loglog
