// Triangular products and solves, and rows copied, scaled and transposed, for use inside HWY_NAMESPACE. Include it
// after hwy/foreach_target.h.

#if defined(LOGLOG_ENGINE_KERNELS_DELTA_PRODUCTS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef LOGLOG_ENGINE_KERNELS_DELTA_PRODUCTS_INL_HPP
#undef LOGLOG_ENGINE_KERNELS_DELTA_PRODUCTS_INL_HPP
#else
#define LOGLOG_ENGINE_KERNELS_DELTA_PRODUCTS_INL_HPP
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>

#include "engine/kernels/attention_tiles-inl.hpp"
#include "engine/kernels/delta_attention_workspace.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE::delta {

/// to[row] = from[row], zeros up to `to_stride`.
template <class T>
void copy_rows(const T* from, std::size_t stride, std::size_t rows, std::size_t width, T* to, std::size_t to_stride) {
    const hn::ScalableTag<T> d;
    for (std::size_t row = 0; row < rows; ++row) {
        std::size_t i = 0;
        for (; i < width; i += hn::Lanes(d)) {
            hn::Store(load_first(d, from + row * stride + i, width - i), d, to + row * to_stride + i);
        }
        for (; i < to_stride; i += hn::Lanes(d)) { hn::Store(hn::Zero(d), d, to + row * to_stride + i); }
    }
}

/// The first `width` values of each row of whole vectors.
template <class T>
void store_rows(const T* from, std::size_t from_stride, std::size_t rows, std::size_t width, T* to,
                std::size_t stride) {
    const hn::ScalableTag<T> d;
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t i = 0; i < width; i += hn::Lanes(d)) {
            store_first(hn::Load(d, from + row * from_stride + i), d, to + row * stride + i, width - i);
        }
    }
}

/// to[row] = scale factors[row] from[row] for whole vectors; `to` may be `from`.
template <class T>
void scale_rows(const T* from, const T* factors, T scale, std::size_t rows, std::size_t width, T* to) {
    const hn::ScalableTag<T> d;
    for (std::size_t row = 0; row < rows; ++row) {
        const auto factor = hn::Set(d, scale * factors[row]);
        for (std::size_t i = row * width; i < (row + 1) * width; i += hn::Lanes(d)) {
            hn::Store(hn::Mul(factor, hn::Load(d, from + i)), d, to + i);
        }
    }
}

/// The sum of products of two rows of whole vectors.
template <class T>
HWY_INLINE T row_dot(const T* a, const T* b, std::size_t width) {
    const hn::ScalableTag<T> d;
    auto sum = hn::Zero(d);
    for (std::size_t i = 0; i < width; i += hn::Lanes(d)) {
        sum = hn::MulAdd(hn::Load(d, a + i), hn::Load(d, b + i), sum);
    }
    return lane_sum(d, sum);
}

/// Four rows, which become columns.
template <class T>
HWY_INLINE void transpose_four_rows(const T* from, std::size_t stride, std::size_t columns, T* to,
                                    std::size_t to_stride) {
    std::size_t column = 0;
#if HWY_TARGET != HWY_SCALAR
    if constexpr (sizeof(T) == sizeof(float)) {
        const hn::FixedTag<float, 4> d;
        for (; column + 4 <= columns; column += 4) {
            const auto r0 = hn::LoadU(d, from + column);
            const auto r1 = hn::LoadU(d, from + stride + column);
            const auto r2 = hn::LoadU(d, from + 2 * stride + column);
            const auto r3 = hn::LoadU(d, from + 3 * stride + column);
            const auto low01 = hn::InterleaveLower(d, r0, r1);
            const auto low23 = hn::InterleaveLower(d, r2, r3);
            const auto high01 = hn::InterleaveUpper(d, r0, r1);
            const auto high23 = hn::InterleaveUpper(d, r2, r3);
            T* y = to + column * to_stride;
            hn::StoreU(hn::ConcatLowerLower(d, low23, low01), d, y);
            hn::StoreU(hn::ConcatUpperUpper(d, low23, low01), d, y + to_stride);
            hn::StoreU(hn::ConcatLowerLower(d, high23, high01), d, y + 2 * to_stride);
            hn::StoreU(hn::ConcatUpperUpper(d, high23, high01), d, y + 3 * to_stride);
        }
    }
#endif
    for (; column < columns; ++column) {
        for (std::size_t row = 0; row < 4; ++row) { to[column * to_stride + row] = from[row * stride + column]; }
    }
}

/// to[c, r] = from[r, c], zeros for r up to `to_stride`.
template <class T>
void transpose(const T* from, std::size_t stride, std::size_t rows, std::size_t columns, T* to, std::size_t to_stride) {
    std::size_t row = 0;
    for (; row + 4 <= rows; row += 4) {
        transpose_four_rows(from + row * stride, stride, columns, to + row, to_stride);
    }
    for (std::size_t c = 0; c < columns; ++c) {
        for (std::size_t r = row; r < to_stride; ++r) {
            to[c * to_stride + r] = r < rows ? from[r * stride + c] : T{0};
        }
    }
}

template <std::size_t N, class T>
HWY_INLINE void lower_columns(const T* left, std::size_t left_stride, const T* right, std::size_t steps, T* result,
                              std::size_t rows, std::size_t columns, std::size_t column) {
    constexpr std::size_t M = Blocks<T>::rows_beside(N);
    const std::size_t first = column / M * M;
    row_product_columns<Onto::nothing, N>(RowProduct<T>{.left = left + first * left_stride,
                                                        .right = right,
                                                        .result = result + first * columns,
                                                        .rows = rows - first,
                                                        .steps = steps,
                                                        .dim = columns},
                                          left_stride, 1, column);
}

/// result[r, c] = sum_k left[r, k] right[k, c] wherever a vector of columns holds one of c <= r.
template <class T>
void lower_product(const T* left, std::size_t left_stride, const T* right, std::size_t steps, T* result,
                   std::size_t rows, std::size_t columns) {
    constexpr std::size_t lanes = Blocks<T>::lanes;
    for (std::size_t column = 0; column < rows; column += 2 * lanes) {
        if (column + 2 * lanes <= columns) {
            lower_columns<2>(left, left_stride, right, steps, result, rows, columns, column);
        } else {
            lower_columns<1>(left, left_stride, right, steps, result, rows, columns, column);
        }
    }
}

/// x[row] += sum over `count` steps k of factors[k * step] * others[k], for N vectors of a row.
template <std::size_t N, class T>
HWY_INLINE void add_rows(const T* factors, std::size_t step, const T* others, std::size_t count, std::size_t dim,
                         T* x) {
    const hn::ScalableTag<T> d;
    hn::Vec<decltype(d)> sums[N];
    HWY_UNROLL(4)
    for (std::size_t n = 0; n < N; ++n) { sums[n] = hn::Load(d, x + n * Blocks<T>::lanes); }
    for (std::size_t k = 0; k < count; ++k) {
        const auto factor = hn::Set(d, factors[k * step]);
        HWY_UNROLL(4)
        for (std::size_t n = 0; n < N; ++n) {
            sums[n] = hn::MulAdd(factor, hn::Load(d, others + k * dim + n * Blocks<T>::lanes), sums[n]);
        }
    }
    HWY_UNROLL(4)
    for (std::size_t n = 0; n < N; ++n) { hn::Store(sums[n], d, x + n * Blocks<T>::lanes); }
}

/// Calls body.template operator()<N>(column) for blocks of N vectors, 4 or 1, of a row.
template <class T, class Body>
HWY_INLINE void for_each_column_block(std::size_t dim, Body&& body) {
    constexpr std::size_t lanes = Blocks<T>::lanes;
    std::size_t column = 0;
    for (; column + 4 * lanes <= dim; column += 4 * lanes) { body.template operator()<4>(column); }
    for (; column < dim; column += lanes) { body.template operator()<1>(column); }
}

/// Solves (I - L) x = b in place for x [rows, dim], L [rows, columns] strictly lower: by substitution row after row
/// inside blocks of rows, by products with the rows before.
template <class T>
void solve_lower(const T* lower, std::size_t columns, std::size_t rows, T* x, std::size_t dim) {
    for (std::size_t first = 0; first < rows; first += delta_row_block) {
        const std::size_t end = std::min(rows, first + delta_row_block);
        row_product<Onto::itself>(RowProduct<T>{.left = lower + first * columns,
                                                .right = x,
                                                .result = x + first * dim,
                                                .rows = end - first,
                                                .steps = first,
                                                .dim = dim},
                                  columns, 1);
        for_each_column_block<T>(dim, [&]<std::size_t N>(std::size_t column) {
            for (std::size_t row = first + 1; row < end; ++row) {
                add_rows<N>(lower + row * columns + first, 1, x + first * dim + column, row - first, dim,
                            x + row * dim + column);
            }
        });
    }
}

/// Solves (I - L)^T x = b in place, the last rows first.
template <class T>
void solve_lower_transposed(const T* lower, std::size_t columns, std::size_t rows, T* x, std::size_t dim) {
    for (std::size_t block = (rows + delta_row_block - 1) / delta_row_block; block-- > 0;) {
        const std::size_t first = block * delta_row_block;
        const std::size_t end = std::min(rows, first + delta_row_block);
        row_product<Onto::itself>(RowProduct<T>{.left = lower + end * columns + first,
                                                .right = x + end * dim,
                                                .result = x + first * dim,
                                                .rows = end - first,
                                                .steps = rows - end,
                                                .dim = dim},
                                  1, columns);
        for_each_column_block<T>(dim, [&]<std::size_t N>(std::size_t column) {
            for (std::size_t row = end - 1; row-- > first;) {
                add_rows<N>(lower + (row + 1) * columns + row, columns, x + (row + 1) * dim + column, end - row - 1,
                            dim, x + row * dim + column);
            }
        });
    }
}

}  // namespace loglog::HWY_NAMESPACE::delta
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
