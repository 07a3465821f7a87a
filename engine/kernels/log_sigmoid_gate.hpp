#pragma once

#include <cstddef>
#include <span>

#include "engine/kernels/context.hpp"

namespace loglog {

/// g = factor * log(sigmoid(x + bias)): the logarithm of a state's decay per channel (Yang et al. 2024,
/// arXiv:2312.06635, sec. 4.4, with a factor of 1/16).
template <class T>
struct LogSigmoidGateForward {
    std::span<const T> x;     // [rows, columns]
    std::span<const T> bias;  // [columns] or empty
    std::span<T> g;           // [rows, columns]; may be x
    std::size_t columns;
    T factor;
};

/// dx = dg factor sigmoid(-(x + bias)); d_bias sums dx over rows. An empty d_bias is not wanted.
template <class T>
struct LogSigmoidGateBackward {
    std::span<const T> x;
    std::span<const T> bias;
    std::span<const T> dg;
    std::span<T> dx;  // may be dg
    std::span<T> d_bias;
    std::size_t columns;
    T factor;
    bool accumulate_d_bias;
};

template <class T>
Cost cost(const LogSigmoidGateForward<T>&);
template <class T>
Cost cost(const LogSigmoidGateBackward<T>&);
template <class T>
void run(CpuContext&, const LogSigmoidGateForward<T>&);
template <class T>
void run(CpuContext&, const LogSigmoidGateBackward<T>&);

}  // namespace loglog
