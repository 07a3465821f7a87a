#pragma once

#include <cstdint>
#include <span>

#include "engine/kernels/context.hpp"

namespace loglog {

/// Pointwise nonlinearities of the MLP. `gelu` is the tanh form (Hendrycks and Gimpel 2016, eq. 2), `gelu_erf` the
/// exact one.
enum class Activation : std::uint8_t { none, gelu, gelu_erf, relu };

/// y[i] = activation(x[i])
template <class T>
struct ActivationForward {
    Activation activation;
    std::span<const T> x;
    std::span<T> y;  // may be x
};

/// dx[i] = dy[i] * activation'(x[i])
template <class T>
struct ActivationBackward {
    Activation activation;
    std::span<const T> x;
    std::span<const T> dy;
    std::span<T> dx;  // may be dy
};

/// Gated MLP (Shazeer 2020, arXiv:2002.05202): y = silu(gate) * up, with gate and up side by side in one row.
template <class T>
struct SwigluForward {
    std::span<const T> x;  // [rows, 2 width]: gate, then up
    std::span<T> y;        // [rows, width]
    std::size_t width;
};

template <class T>
struct SwigluBackward {
    std::span<const T> x;   // [rows, 2 width]
    std::span<const T> dy;  // [rows, width]
    std::span<T> dx;        // [rows, 2 width], overwritten
    std::size_t width;
};

template <class T>
Cost cost(const ActivationForward<T>&);
template <class T>
Cost cost(const ActivationBackward<T>&);
template <class T>
Cost cost(const SwigluForward<T>&);
template <class T>
Cost cost(const SwigluBackward<T>&);
template <class T>
void run(CpuContext&, const ActivationForward<T>&);
template <class T>
void run(CpuContext&, const ActivationBackward<T>&);
template <class T>
void run(CpuContext&, const SwigluForward<T>&);
template <class T>
void run(CpuContext&, const SwigluBackward<T>&);

}  // namespace loglog
