// Products and packing of the linear attention kernels, whose operands are a chunk's matrices of tokens by channels, of
// tokens by tokens and of channels by channels. For use inside HWY_NAMESPACE, after hwy/foreach_target.h.

#if defined(LOGLOG_ENGINE_KERNELS_LINEAR_CHUNKS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef LOGLOG_ENGINE_KERNELS_LINEAR_CHUNKS_INL_HPP
#undef LOGLOG_ENGINE_KERNELS_LINEAR_CHUNKS_INL_HPP
#else
#define LOGLOG_ENGINE_KERNELS_LINEAR_CHUNKS_INL_HPP
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "engine/kernels/attention_tiles-inl.hpp"
#include "engine/kernels/linear_workspace.hpp"
#include "engine/kernels/vector_math-inl.hpp"
#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

/// How a product's left operand lies in memory: left[row, step] at row * stride + step, or at step * stride + row.
enum class Left { rows, columns };

/// The part of a product that is not known to be zero. Register blocks on the diagonal are whole, so operands have
/// zeros there, and results something to be ignored.
enum class Part {
    whole,
    steps_to_row,    ///< left is lower triangular: steps up to the row
    steps_from_row,  ///< left is upper triangular: steps from the row on
    columns_to_row,  ///< the result is lower triangular
};

/// What becomes of a product.
enum class Into {
    result,    ///< result = product
    rescaled,  ///< result = factor[row] * earlier + product
    sum,       ///< result = earlier + product
    masked,    ///< result = mask * product, elementwise, and 0 where the mask is, even if the product is not finite
};

/// Rows of memory to be fetched while products are computed: a head's channels are pieces of rows too short for the
/// processor to see where the next ones are, and asking for all at once would wait for memory as reading them does.
class Prefetches {
  public:
    /// `rows` rows of `width` values.
    template <class T>
    void add(const T* from, std::size_t stride, std::size_t rows, std::size_t width) {
        parts_[count_++] = {reinterpret_cast<const char*>(from), stride * sizeof(T), rows, width * sizeof(T)};
    }
    /// Asks for a few rows more.
    void next() {
        for (int row = 0; row < 4; ++row) { next_row(); }
    }

  private:
    struct Part {
        const char* from;
        std::size_t stride;  // in bytes
        std::size_t rows;
        std::size_t width;  // in bytes
    };

    void next_row() {
        while (part_ < count_ && row_ == parts_[part_].rows) {
            ++part_;
            row_ = 0;
        }
        if (part_ == count_) { return; }
        const Part& part = parts_[part_];
        const char* row = part.from + row_++ * part.stride;
        for (std::size_t i = 0; i < part.width; i += 64) { hwy::Prefetch(row + i); }
    }

    Part parts_[8];
    std::size_t count_ = 0;
    std::size_t part_ = 0;
    std::size_t row_ = 0;
};

/// result[row, column] from sum_step left[row, step] right[step, column]. All strides and `columns` are multiples of 16
/// and pointers aligned. Up to chunk_spare_rows rows past `rows` are computed too: of left, anything; of result,
/// memory.
template <class T>
struct ChunkProduct {
    const T* left;
    std::size_t left_stride;
    const T* right;
    std::size_t right_stride;
    T* result;
    std::size_t result_stride;
    std::size_t rows;
    std::size_t steps;
    std::size_t columns;
    const T* earlier = nullptr;  // like result, for Into::sum and rescaled
    const T* factor = nullptr;   // [rows], for Into::rescaled
    const T* mask = nullptr;     // like result, for Into::masked
    Prefetches* prefetches = nullptr;
};

template <std::size_t M, std::size_t N, Left left, Into into, class T>
HWY_INLINE void product_block(const ChunkProduct<T>& p, std::size_t row, std::size_t column, std::size_t begin,
                              std::size_t end) {
    const hn::ScalableTag<T> d;
    using V = hn::Vec<decltype(d)>;
    constexpr std::size_t lanes = Blocks<T>::lanes;
    const std::size_t corner = row * p.result_stride + column;
    V sums[M][N];
    HWY_UNROLL(16)
    for (std::size_t m = 0; m < M; ++m) {
        HWY_UNROLL(16)
        for (std::size_t n = 0; n < N; ++n) {
            if constexpr (into == Into::result || into == Into::masked) {
                sums[m][n] = hn::Zero(d);
            } else {
                sums[m][n] = hn::Load(d, p.earlier + corner + m * p.result_stride + n * lanes);
            }
            if constexpr (into == Into::rescaled) { sums[m][n] = hn::Mul(sums[m][n], hn::Set(d, p.factor[row + m])); }
        }
    }
    if (p.prefetches != nullptr) { p.prefetches->next(); }
    if (begin < end) {
        const T* right = p.right + begin * p.right_stride + column;
        if constexpr (left == Left::rows) {
            add_outer_products<M, N>(p.left + row * p.left_stride + begin, p.left_stride, 1, right, p.right_stride,
                                     end - begin, sums);
        } else {
            add_outer_products<M, N>(p.left + begin * p.left_stride + row, 1, p.left_stride, right, p.right_stride,
                                     end - begin, sums);
        }
    }
    HWY_UNROLL(16)
    for (std::size_t m = 0; m < M; ++m) {
        HWY_UNROLL(16)
        for (std::size_t n = 0; n < N; ++n) {
            const std::size_t at = corner + m * p.result_stride + n * lanes;
            if constexpr (into == Into::masked) {
                const V mask = hn::Load(d, p.mask + at);
                sums[m][n] = hn::IfThenElseZero(hn::Ne(mask, hn::Zero(d)), hn::Mul(sums[m][n], mask));
            }
            hn::Store(sums[m][n], d, p.result + at);
        }
    }
}

template <std::size_t N, Left left, Into into, Part part, class T>
HWY_INLINE void product_columns(const ChunkProduct<T>& p, std::size_t column) {
    constexpr std::size_t M = Blocks<T>::rows_beside(N);
    for (std::size_t row = 0; row < p.rows; row += M) {
        const std::size_t begin = part == Part::steps_from_row ? row : 0;
        const std::size_t end = part == Part::steps_to_row ? std::min(p.steps, row + M) : p.steps;
        product_block<M, N, left, into>(p, row, column, begin, end);
    }
}

/// The rows of a lower triangular result, each register block as wide as its last row.
template <Left left, Into into, class T>
HWY_INLINE void lower_product(const ChunkProduct<T>& p) {
    constexpr std::size_t lanes = Blocks<T>::lanes;
    constexpr std::size_t most = Blocks<T>::most_vectors;
    constexpr std::size_t M = Blocks<T>::rows_beside(most);
    for (std::size_t row = 0; row < p.rows; row += M) {
        const std::size_t vectors = (std::min(row + M, p.columns) + lanes - 1) / lanes;
        for (std::size_t done = 0; done < vectors; done += most) {
            const std::size_t n = std::min(most, vectors - done);
            if (n == 1) { product_block<M, 1, left, into>(p, row, done * lanes, 0, p.steps); }
            if (n == 2) { product_block<M, 2, left, into>(p, row, done * lanes, 0, p.steps); }
            if constexpr (most == 4) {
                if (n == 3) { product_block<M, 3, left, into>(p, row, done * lanes, 0, p.steps); }
                if (n == 4) { product_block<M, 4, left, into>(p, row, done * lanes, 0, p.steps); }
            }
        }
    }
}

/// The whole product, or its part, in blocks of columns as equal as can be.
template <Left left, Into into, Part part = Part::whole, class T>
void chunk_product(const ChunkProduct<T>& p) {
    if constexpr (part == Part::columns_to_row) {
        lower_product<left, into>(p);
    } else {
        constexpr std::size_t lanes = Blocks<T>::lanes;
        constexpr std::size_t most = Blocks<T>::most_vectors;
        const std::size_t vectors = p.columns / lanes;
        std::size_t done = 0;
        for (std::size_t blocks = (vectors + most - 1) / most; blocks > 0; --blocks) {
            const std::size_t n = (vectors - done + blocks - 1) / blocks;
            if (n == 1) { product_columns<1, left, into, part>(p, done * lanes); }
            if (n == 2) { product_columns<2, left, into, part>(p, done * lanes); }
            if constexpr (most == 4) {
                if (n == 3) { product_columns<3, left, into, part>(p, done * lanes); }
                if (n == 4) { product_columns<4, left, into, part>(p, done * lanes); }
            }
            done += n;
        }
    }
}

/// to[c, r] = from[r, c] for rows by columns values; both strides are multiples of 4, and where `rows` or `columns` is
/// not, up to 3 more of each are read and written.
template <class T>
void transpose_chunk(const T* from, std::size_t from_stride, std::size_t rows, std::size_t columns, T* to,
                     std::size_t to_stride) {
#if HWY_TARGET != HWY_SCALAR
    if constexpr (sizeof(T) == sizeof(float)) {
        const hn::FixedTag<float, 4> d;
        for (std::size_t row = 0; row < rows; row += 4) {
            for (std::size_t column = 0; column < columns; column += 4) {
                const T* x = from + row * from_stride + column;
                T* y = to + column * to_stride + row;
                const auto r0 = hn::Load(d, x);
                const auto r1 = hn::Load(d, x + from_stride);
                const auto r2 = hn::Load(d, x + 2 * from_stride);
                const auto r3 = hn::Load(d, x + 3 * from_stride);
                const auto low01 = hn::InterleaveLower(d, r0, r1);
                const auto low23 = hn::InterleaveLower(d, r2, r3);
                const auto high01 = hn::InterleaveUpper(d, r0, r1);
                const auto high23 = hn::InterleaveUpper(d, r2, r3);
                hn::Store(hn::ConcatLowerLower(d, low23, low01), d, y);
                hn::Store(hn::ConcatUpperUpper(d, low23, low01), d, y + to_stride);
                hn::Store(hn::ConcatLowerLower(d, high23, high01), d, y + 2 * to_stride);
                hn::Store(hn::ConcatUpperUpper(d, high23, high01), d, y + 3 * to_stride);
            }
        }
        return;
    }
#endif
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t column = 0; column < columns; ++column) {
            to[column * to_stride + row] = from[row * from_stride + column];
        }
    }
}

/// Applies `map(d, x)` to `rows` rows of `width` values while copying them to aligned rows of `stride`, zeros at their
/// ends and in the rows up to the next multiple of 4.
template <class T, class Map>
HWY_INLINE void pack_chunk(const T* from, std::size_t from_stride, std::size_t rows, std::size_t width, T* to,
                           std::size_t stride, const Map& map) {
    const hn::ScalableTag<T> d;
    for (std::size_t row = 0; row < rows; ++row) {
        const T* x = from + row * from_stride;
        T* y = to + row * stride;
        std::size_t i = 0;
        for (; i + hn::Lanes(d) <= width; i += hn::Lanes(d)) { hn::Store(map(d, hn::LoadU(d, x + i)), d, y + i); }
        if (i < width) {
            const auto mask = hn::FirstN(d, width - i);
            hn::Store(hn::IfThenElseZero(mask, map(d, hn::MaskedLoad(mask, d, x + i))), d, y + i);
            i += hn::Lanes(d);
        }
        for (; i < stride; i += hn::Lanes(d)) { hn::Store(hn::Zero(d), d, y + i); }
    }
    std::fill(to + rows * stride, to + round_up(rows, 4) * stride, T{0});
}

/// row *= factor[row]
template <class T>
HWY_INLINE void scale_chunk_rows(T* x, std::size_t stride, std::size_t rows, const T* factor) {
    const hn::ScalableTag<T> d;
    for (std::size_t row = 0; row < rows; ++row) {
        const auto f = hn::Set(d, factor[row]);
        for (std::size_t i = 0; i < stride; i += hn::Lanes(d)) {
            hn::Store(hn::Mul(f, hn::Load(d, x + row * stride + i)), d, x + row * stride + i);
        }
    }
}

/// The sum of products of `count` values, a multiple of 16, both aligned.
template <class T>
HWY_INLINE T aligned_dot(const T* a, const T* b, std::size_t count) {
    const hn::ScalableTag<T> d;
    auto even = hn::Zero(d);
    auto odd = hn::Zero(d);
    std::size_t i = 0;
    for (; i + 2 * hn::Lanes(d) <= count; i += 2 * hn::Lanes(d)) {
        even = hn::MulAdd(hn::Load(d, a + i), hn::Load(d, b + i), even);
        odd = hn::MulAdd(hn::Load(d, a + i + hn::Lanes(d)), hn::Load(d, b + i + hn::Lanes(d)), odd);
    }
    for (; i < count; i += hn::Lanes(d)) { even = hn::MulAdd(hn::Load(d, a + i), hn::Load(d, b + i), even); }
    return lane_sum(d, hn::Add(even, odd));
}

/// The factor by which each of `rows` tokens' past decays, exp(g), or 0 where `document_start` (none: one document)
/// says that its document starts at it; the first is at place `first` of its sequence. `g` may be null.
template <class T>
void fill_factors(const T* g, std::size_t g_stride, const std::int32_t* document_start, std::size_t first,
                  std::size_t rows, T* factors) {
    const hn::ScalableTag<T> d;
    if (g == nullptr) {
        std::fill_n(factors, rows, T{1});
    } else {
        for (std::size_t i = 0; i < rows; ++i) { factors[i] = g[i * g_stride]; }
        for (std::size_t i = 0; i < rows; i += hn::Lanes(d)) {
            store_first(vector_exp(d, load_first(d, factors + i, rows - i)), d, factors + i, rows - i);
        }
    }
    if (document_start == nullptr) { return; }
    for (std::size_t i = 0; i < rows; ++i) {
        if (static_cast<std::size_t>(document_start[i]) == first + i) { factors[i] = T{0}; }
    }
}

/// The products of decays of a chunk, from `factors` [rows], the factor by which each token's past decays (0 where it
/// is reset): between[i, j] = product over j < u <= i, 1 on the diagonal and 0 above, with rows of `stride` and
/// chunk_spare_rows rows of zeros at the end; since_start[i] = product over u <= i.
template <class T>
void fill_decays(const T* factors, std::size_t rows, std::size_t stride, T* between, T* since_start) {
    const hn::ScalableTag<T> d;
    for (std::size_t i = 0; i < rows; ++i) {
        T* row = between + i * stride;
        if (i == 0) {
            std::fill_n(row, stride, T{0});
        } else {
            const auto factor = hn::Set(d, factors[i]);
            for (std::size_t j = 0; j < stride; j += hn::Lanes(d)) {
                hn::Store(hn::Mul(factor, hn::Load(d, row - stride + j)), d, row + j);
            }
        }
        row[i] = T{1};
        since_start[i] = i == 0 ? factors[0] : since_start[i - 1] * factors[i];
    }
    std::fill_n(between + rows * stride, chunk_spare_rows * stride, T{0});
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
