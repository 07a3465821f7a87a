#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/kernels/context.hpp"

namespace loglog {

/// y = alpha * x + (accumulate ? y : 0)
template <class T>
struct Scale {
    std::span<const T> x;
    std::span<T> y;
    T alpha = 1;
    bool accumulate = false;
};

/// y = parts[n - 1] + (... + (parts[1] + (parts[0] + x))), each as long as y.
template <class T>
struct ChainSum {
    std::span<const T> x;
    std::span<const T* const> parts;
    std::span<T> y;  // may be x
};

template <class T>
struct Fill {
    std::span<T> y;
    T value = 0;
};

/// y = residual + scale * dropped(x): element e of row r is kept, times 1 / (1 - probability), where the counter-based
/// number at (step, layer, first_row + r, e) says so. The backward pass runs the same kernel on gradients with no
/// residual. Probability 0 keeps everything.
template <class T>
struct Dropout {
    std::span<const T> x;         // [rows, width]
    std::span<const T> residual;  // [rows, width] or empty
    std::span<T> y;               // [rows, width]; may be x or residual
    std::size_t width;
    float probability;
    std::array<std::uint32_t, 2> key;  // from Random(seed, Stream::dropout_residual)
    std::uint64_t step;
    std::uint32_t layer;      // tells apart the places of a model that drop
    std::uint64_t first_row;  // global token index of the first row
    T scale = 1;
};

/// out[c] = sum_r x[r, c] + (accumulate ? out[c] : 0): a bias's gradient.
template <class T>
struct ColumnSum {
    std::span<const T> x;  // [rows, columns]
    std::span<T> out;      // [columns]
    T alpha = 1;
    bool accumulate = false;
};

/// *result = sum x^2 in double, added in fixed blocks.
template <class T>
struct SumOfSquares {
    std::span<const T> x;
    double* result;
};

/// `rows` runs of `columns` neighbours, `stride` apart.
template <class T>
struct SquaresTile {
    const T* x;
    std::size_t rows;
    std::size_t columns;
    std::size_t stride;
    std::size_t place;  ///< where the sum goes
};

/// sums[tile.place] = sum x^2 of each tile, in double. Bits depend on a tile's rows and columns, not on its stride.
template <class T>
struct TileSquares {
    std::span<const SquaresTile<T>> tiles;
    std::span<double> sums;
};

template <class T>
Cost cost(const Scale<T>&);
template <class T>
Cost cost(const ChainSum<T>&);
template <class T>
Cost cost(const Fill<T>&);
template <class T>
Cost cost(const Dropout<T>&);
template <class T>
Cost cost(const ColumnSum<T>&);
template <class T>
Cost cost(const SumOfSquares<T>&);
template <class T>
Cost cost(const TileSquares<T>&);
template <class T>
void run(CpuContext&, const Scale<T>&);
template <class T>
void run(CpuContext&, const ChainSum<T>&);
template <class T>
void run(CpuContext&, const Fill<T>&);
template <class T>
void run(CpuContext&, const Dropout<T>&);
template <class T>
void run(CpuContext&, const ColumnSum<T>&);
template <class T>
void run(CpuContext&, const SumOfSquares<T>&);
template <class T>
void run(CpuContext&, const TileSquares<T>&);

}  // namespace loglog
