// Register blocks and packing of the attention kernels, for use inside HWY_NAMESPACE. Include it after
// hwy/foreach_target.h.

#if defined(LOGLOG_ENGINE_KERNELS_ATTENTION_TILES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef LOGLOG_ENGINE_KERNELS_ATTENTION_TILES_INL_HPP
#undef LOGLOG_ENGINE_KERNELS_ATTENTION_TILES_INL_HPP
#else
#define LOGLOG_ENGINE_KERNELS_ATTENTION_TILES_INL_HPP
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/kernels/attention_workspace.hpp"
#include "engine/kernels/vector_exp2-inl.hpp"
#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

/// Shapes of the register blocks: `score_rows` queries by `score_vectors` vectors of keys, and for products whose rows
/// are vectors of channels, rows_beside(n) by n vectors. All divide attention_tile.
template <class T>
struct Blocks {
    static constexpr std::size_t lanes = hn::MaxLanes(hn::ScalableTag<T>());
    static constexpr bool many_registers = HWY_TARGET <= HWY_AVX3;
    static constexpr std::size_t score_rows = many_registers ? 8 : 6;
    static constexpr std::size_t score_vectors = many_registers ? 3 : 2;
    static constexpr std::size_t panel = score_vectors * lanes;
    static constexpr std::size_t most_vectors = many_registers ? 4 : 2;
    static constexpr std::size_t rows_beside(std::size_t vectors) {
        if (!many_registers) { return vectors == 2 ? 6 : 12; }
        return vectors == 4 ? 6 : vectors == 3 ? 8 : 12;
    }
    static_assert(attention_tile % panel == 0 && attention_tile % score_rows == 0);
};

/// The lowest bits as a mask of lanes.
template <class D>
HWY_INLINE hn::Mask<D> mask_of(D d, std::uint64_t bits) {
    std::uint8_t bytes[sizeof(bits)];
    std::memcpy(bytes, &bits, sizeof(bits));
    return hn::LoadMaskBits(d, bytes);
}

template <std::size_t M, std::size_t N, class V>
using Accumulators = V[M][N];

/// sums[m][n] += sum over `count` steps k of a[m * a_row + k * a_step] * (vector n of b + k * b_step). `b` is aligned.
template <std::size_t M, std::size_t N, class T, class V>
HWY_INLINE void add_outer_products(const T* HWY_RESTRICT a, std::size_t a_row, std::size_t a_step,
                                   const T* HWY_RESTRICT b, std::size_t b_step, std::size_t count,
                                   Accumulators<M, N, V>& sums) {
    const hn::ScalableTag<T> d;
    for (std::size_t k = 0; k < count; ++k) {
        V row[N];
        HWY_UNROLL(16)
        for (std::size_t n = 0; n < N; ++n) { row[n] = hn::Load(d, b + n * Blocks<T>::lanes); }
        HWY_UNROLL(16)
        for (std::size_t m = 0; m < M; ++m) {
            const V factor = hn::Set(d, a[m * a_row]);
            HWY_UNROLL(16)
            for (std::size_t n = 0; n < N; ++n) { sums[m][n] = hn::MulAdd(factor, row[n], sums[m][n]); }
        }
        a += a_step;
        b += b_step;
    }
}

/// What a product's result is added to.
enum class Onto { nothing, itself, rescaled };

/// A product whose right operand and result have rows of channels: result[r] (+)= sum_k left[r, k] right[k]. Causal
/// attention leaves out steps known to be zero: those from `reach` past the last row of a register block on, and those
/// more than `lead` before its first row.
template <class T>
struct RowProduct {
    const T* left;
    const T* right;             // [steps, dim]
    T* result;                  // [rows, dim]
    const T* factor = nullptr;  // [rows], for Onto::rescaled
    std::size_t rows;
    std::size_t steps;
    std::size_t dim;
    std::size_t reach = static_cast<std::size_t>(-1) / 2;
    std::size_t lead = static_cast<std::size_t>(-1) / 2;
};

template <Onto onto, std::size_t N, class T>
HWY_INLINE void row_product_columns(const RowProduct<T>& p, std::size_t left_row, std::size_t left_step,
                                    std::size_t column) {
    const hn::ScalableTag<T> d;
    using V = hn::Vec<decltype(d)>;
    constexpr std::size_t lanes = Blocks<T>::lanes;
    constexpr std::size_t M = Blocks<T>::rows_beside(N);
    for (std::size_t row = 0; row < p.rows; row += M) {
        const std::size_t begin = row > p.lead ? row - p.lead : 0;
        const std::size_t end = std::min(p.steps, p.reach + row + M);
        T* result = p.result + row * p.dim + column;
        V sums[M][N];
        HWY_UNROLL(16)
        for (std::size_t m = 0; m < M; ++m) {
            HWY_UNROLL(16)
            for (std::size_t n = 0; n < N; ++n) {
                if constexpr (onto == Onto::nothing) {
                    sums[m][n] = hn::Zero(d);
                } else {
                    sums[m][n] = hn::Load(d, result + m * p.dim + n * lanes);
                }
                if constexpr (onto == Onto::rescaled) {
                    sums[m][n] = hn::Mul(sums[m][n], hn::Set(d, p.factor[row + m]));
                }
            }
        }
        if (begin < end) {
            add_outer_products<M, N>(p.left + row * left_row + begin * left_step, left_row, left_step,
                                     p.right + begin * p.dim + column, p.dim, end - begin, sums);
        }
        HWY_UNROLL(16)
        for (std::size_t m = 0; m < M; ++m) {
            HWY_UNROLL(16)
            for (std::size_t n = 0; n < N; ++n) { hn::Store(sums[m][n], d, result + m * p.dim + n * lanes); }
        }
    }
}

/// The whole product, in blocks of columns as equal as can be, with left[r, k] at p.left + r * left_row + k * left_step
/// (apart from `p` so that a caller's constants reach the innermost loop).
template <Onto onto, class T>
HWY_INLINE void row_product(const RowProduct<T>& p, std::size_t left_row, std::size_t left_step) {
    constexpr std::size_t lanes = Blocks<T>::lanes;
    const std::size_t vectors = p.dim / lanes;
    std::size_t blocks = (vectors + Blocks<T>::most_vectors - 1) / Blocks<T>::most_vectors;
    std::size_t done = 0;
    for (; blocks > 0; --blocks) {
        const std::size_t n = (vectors - done + blocks - 1) / blocks;
        if (n == 1) { row_product_columns<onto, 1>(p, left_row, left_step, done * lanes); }
        if (n == 2) { row_product_columns<onto, 2>(p, left_row, left_step, done * lanes); }
        if constexpr (Blocks<T>::most_vectors == 4) {
            if (n == 3) { row_product_columns<onto, 3>(p, left_row, left_step, done * lanes); }
            if (n == 4) { row_product_columns<onto, 4>(p, left_row, left_step, done * lanes); }
        }
        done += n;
    }
}

/// Copies `rows` rows of `head_dim` values times `scale` to aligned rows of padded_dim(head_dim), zeros at their ends
/// and in the rows up to padded_time(rows).
template <class T>
void pack_rows(const T* from, std::size_t stride, std::size_t rows, std::size_t head_dim, T scale, T* to) {
    const hn::ScalableTag<T> d;
    const std::size_t dim = padded_dim(head_dim);
    const auto factor = hn::Set(d, scale);
    for (std::size_t row = 0; row < rows; ++row) {
        const T* x = from + row * stride;
        T* y = to + row * dim;
        std::size_t i = 0;
        for (; i < head_dim; i += hn::Lanes(d)) {
            hn::Store(hn::Mul(factor, load_first(d, x + i, head_dim - i)), d, y + i);
        }
        for (; i < dim; i += hn::Lanes(d)) { hn::Store(hn::Zero(d), d, y + i); }
    }
    std::fill(to + rows * dim, to + padded_time(rows) * dim, T{0});
}

/// Four rows' channels [0, 4 * (head_dim / 4)) as columns: to[channel * panel + row].
template <class T>
HWY_INLINE std::size_t transpose_four(const T* from, std::size_t stride, std::size_t head_dim, T* to) {
    std::size_t channel = 0;
#if HWY_TARGET != HWY_SCALAR
    if constexpr (sizeof(T) == sizeof(float)) {
        const hn::FixedTag<float, 4> d;
        for (; channel + 4 <= head_dim; channel += 4) {
            const auto r0 = hn::LoadU(d, from + channel);
            const auto r1 = hn::LoadU(d, from + stride + channel);
            const auto r2 = hn::LoadU(d, from + 2 * stride + channel);
            const auto r3 = hn::LoadU(d, from + 3 * stride + channel);
            const auto low01 = hn::InterleaveLower(d, r0, r1);
            const auto low23 = hn::InterleaveLower(d, r2, r3);
            const auto high01 = hn::InterleaveUpper(d, r0, r1);
            const auto high23 = hn::InterleaveUpper(d, r2, r3);
            T* y = to + channel * Blocks<T>::panel;
            hn::StoreU(hn::ConcatLowerLower(d, low23, low01), d, y);
            hn::StoreU(hn::ConcatUpperUpper(d, low23, low01), d, y + Blocks<T>::panel);
            hn::StoreU(hn::ConcatLowerLower(d, high23, high01), d, y + 2 * Blocks<T>::panel);
            hn::StoreU(hn::ConcatUpperUpper(d, high23, high01), d, y + 3 * Blocks<T>::panel);
        }
    }
#endif
    for (; channel < head_dim; ++channel) {
        for (std::size_t row = 0; row < 4; ++row) {
            to[channel * Blocks<T>::panel + row] = from[row * stride + channel];
        }
    }
    return 4;
}

/// Transposes `rows` rows into panels of [head_dim, panel], zeros in the rows up to the next whole panel.
template <class T>
void pack_panels(const T* from, std::size_t stride, std::size_t rows, std::size_t head_dim, T* to) {
    constexpr std::size_t panel = Blocks<T>::panel;
    for (std::size_t start = 0; start < rows; start += panel) {
        const std::size_t filled = std::min(panel, rows - start);
        T* y = to + start * head_dim;
        std::size_t row = 0;
        if constexpr (panel >= 4) {
            while (row + 4 <= filled) {
                row += transpose_four(from + (start + row) * stride, stride, head_dim, y + row);
            }
        }
        for (; row < panel; ++row) {
            for (std::size_t channel = 0; channel < head_dim; ++channel) {
                y[channel * panel + row] = row < filled ? from[(start + row) * stride + channel] : T{0};
            }
        }
    }
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
