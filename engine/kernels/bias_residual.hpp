#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "engine/kernels/context.hpp"

namespace loglog {

/// y = residual + scale * (x + bias), rounded like the same steps of a matrix product's end (gemm.hpp).
template <class T>
struct BiasResidual {
    std::span<const T> x;         // [rows, width]
    std::span<const T> bias;      // [width] or empty
    std::span<const T> residual;  // [rows, width] or empty
    std::span<T> y;               // [rows, width]; may be x or residual
    std::size_t width;
    T scale = 1;
};

/// y = partials[count - 1] + (... + (partials[0] + x)): joins partial sums of a tree, smallest first.
template <class T>
struct AddPartials {
    static constexpr std::size_t most = 8;

    std::span<const T> x;
    std::array<const T*, most> partials;  // each as long as x
    std::size_t count;
    std::span<T> y;  // may be x or a partial sum
};

template <class T>
Cost cost(const BiasResidual<T>&);
template <class T>
Cost cost(const AddPartials<T>&);
template <class T>
void run(CpuContext&, const BiasResidual<T>&);
template <class T>
void run(CpuContext&, const AddPartials<T>&);

}  // namespace loglog
