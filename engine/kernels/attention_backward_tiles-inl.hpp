// What the backward pass does with a tile of keys and some queries, for use inside HWY_NAMESPACE. Include it after
// hwy/foreach_target.h.

#if defined(LOGLOG_ENGINE_KERNELS_ATTENTION_BACKWARD_TILES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef LOGLOG_ENGINE_KERNELS_ATTENTION_BACKWARD_TILES_INL_HPP
#undef LOGLOG_ENGINE_KERNELS_ATTENTION_BACKWARD_TILES_INL_HPP
#else
#define LOGLOG_ENGINE_KERNELS_ATTENTION_BACKWARD_TILES_INL_HPP
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "engine/kernels/attention_backward_piece.hpp"
#include "engine/kernels/attention_tiles-inl.hpp"
#include "engine/kernels/attention_workspace.hpp"
#include "engine/kernels/dropout_numbers.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

/// A block of queries against a tile of keys. Either no query of the block precedes a key of the tile, or `diagonal`
/// and the block starts with the tile's first key.
struct BackwardTile {
    std::size_t query;
    std::size_t key;
    std::size_t rows;  // queries that exist
    std::size_t keys;  // keys that exist
    bool diagonal;
    const std::uint64_t* bits = nullptr;  // per query (then of one tile), the keys it sees; none: all up to itself
};

/// A register block of scores: where its operands and results are.
template <class T>
struct ScoreBlock {
    const T* queries;  // [score_rows, dim]
    const T* d_out;    // [score_rows, dim]
    std::size_t dim;
    const T* keys;    // [head_dim, panel]
    const T* values;  // [head_dim, panel]
    std::size_t head_dim;
    const T* lse;            // [score_rows]
    const T* delta;          // [score_rows]
    T* probabilities;        // [score_rows, attention_tile]
    T* d_scores;             // [score_rows, attention_tile]
    const T* kept;           // [score_rows, attention_tile]
    std::ptrdiff_t visible;  // keys, from the block's first, that its first query sees; each next one sees one more
    const std::uint64_t* bits = nullptr;  // [score_rows]: of the tile; the block's keys start at bit first_bit
    std::size_t first_bit = 0;
};

/// Which keys of a block are hidden.
enum class Hidden { none, later, by_bits };

// p = 2^(score - lse), zero where hidden.
template <std::size_t N, Hidden hidden, class T>
HWY_INLINE void probability_block(const ScoreBlock<T>& b) {
    const hn::ScalableTag<T> d;
    using V = hn::Vec<decltype(d)>;
    constexpr std::size_t M = Blocks<T>::score_rows;
    constexpr std::size_t lanes = Blocks<T>::lanes;
    V sums[M][N];
    HWY_UNROLL(16)
    for (std::size_t m = 0; m < M; ++m) {
        const V start = hn::Set(d, -b.lse[m]);
        HWY_UNROLL(16)
        for (std::size_t n = 0; n < N; ++n) { sums[m][n] = start; }
    }
    add_outer_products<M, N>(b.queries, b.dim, 1, b.keys, Blocks<T>::panel, b.head_dim, sums);
    HWY_UNROLL(16)
    for (std::size_t m = 0; m < M; ++m) {
        HWY_UNROLL(16)
        for (std::size_t n = 0; n < N; ++n) {
            V p = exp2_of_negative(d, sums[m][n]);
            if constexpr (hidden == Hidden::later) {
                const auto first = static_cast<std::ptrdiff_t>(n * lanes);
                const auto seen = std::clamp<std::ptrdiff_t>(b.visible + static_cast<std::ptrdiff_t>(m) - first, 0,
                                                             static_cast<std::ptrdiff_t>(lanes));
                p = hn::IfThenElseZero(hn::FirstN(d, static_cast<std::size_t>(seen)), p);
            }
            if constexpr (hidden == Hidden::by_bits) {
                p = hn::IfThenElseZero(mask_of(d, b.bits[m] >> (b.first_bit + n * lanes)), p);
            }
            hn::Store(p, d, b.probabilities + m * attention_tile + n * lanes);
        }
    }
}

// d_score = p * (kept * dp - delta); with dropout, p then becomes the kept p that weighs the values.
template <std::size_t N, bool dropping, class T>
HWY_INLINE void d_score_block(const ScoreBlock<T>& b) {
    const hn::ScalableTag<T> d;
    using V = hn::Vec<decltype(d)>;
    constexpr std::size_t M = Blocks<T>::score_rows;
    constexpr std::size_t lanes = Blocks<T>::lanes;
    V sums[M][N];
    HWY_UNROLL(16)
    for (std::size_t m = 0; m < M; ++m) {
        const V start = dropping ? hn::Zero(d) : hn::Set(d, -b.delta[m]);
        HWY_UNROLL(16)
        for (std::size_t n = 0; n < N; ++n) { sums[m][n] = start; }
    }
    add_outer_products<M, N>(b.d_out, b.dim, 1, b.values, Blocks<T>::panel, b.head_dim, sums);
    HWY_UNROLL(16)
    for (std::size_t m = 0; m < M; ++m) {
        HWY_UNROLL(16)
        for (std::size_t n = 0; n < N; ++n) {
            const std::size_t at = m * attention_tile + n * lanes;
            const V p = hn::Load(d, b.probabilities + at);
            V dp = sums[m][n];
            if constexpr (dropping) {
                const V kept = hn::Load(d, b.kept + at);
                dp = hn::MulSub(kept, dp, hn::Set(d, b.delta[m]));
                hn::Store(hn::Mul(kept, p), d, b.probabilities + at);
            }
            hn::Store(hn::Mul(p, dp), d, b.d_scores + at);
        }
    }
}

template <std::size_t N, class T>
void score_block(const ScoreBlock<T>& b, bool diagonal, bool dropping) {
    if (b.bits != nullptr) {
        probability_block<N, Hidden::by_bits>(b);
    } else if (diagonal) {
        probability_block<N, Hidden::later>(b);
    } else {
        probability_block<N, Hidden::none>(b);
    }
    if (dropping) {
        d_score_block<N, true>(b);
    } else {
        d_score_block<N, false>(b);
    }
}

// Whether one of `count` queries sees one of `keys` keys from `start` on.
HWY_INLINE bool sees_any(const std::uint64_t* bits, std::size_t count, std::size_t start, std::size_t keys) {
    std::uint64_t any = 0;
    for (std::size_t row = 0; row < count; ++row) { any |= bits[row]; }
    return (any >> start & ((std::uint64_t{1} << keys) - 1)) != 0;
}

template <class T>
void score_tile(const AttentionBackwardWorkspace<T>& w, const AttentionSizes& s, const BackwardTile& tile,
                bool dropping) {
    constexpr std::size_t M = Blocks<T>::score_rows;
    constexpr std::size_t panel = Blocks<T>::panel;
    constexpr std::size_t lanes = Blocks<T>::lanes;
    const std::size_t dim = padded_dim(s.head_dim);
    if (tile.diagonal || tile.bits != nullptr) {
        std::fill_n(w.probabilities, attention_tile * attention_tile, T{0});
        std::fill_n(w.d_scores, attention_tile * attention_tile, T{0});
    }
    for (std::size_t start = 0; start < tile.keys; start += panel) {
        for (std::size_t row = 0; row < tile.rows; row += M) {
            const std::size_t seen = tile.diagonal ? row + M : attention_tile + row;  // keys of the tile
            if (seen <= start || (tile.bits != nullptr && !sees_any(tile.bits + row, M, start, panel))) { continue; }
            const std::size_t vectors = (seen - start + lanes - 1) / lanes;
            const std::size_t at = row * attention_tile + start;
            const ScoreBlock<T> block{w.queries + (tile.query + row) * dim,
                                      w.d_out + (tile.query + row) * dim,
                                      dim,
                                      w.keys + (tile.key + start) * s.head_dim,
                                      w.values + (tile.key + start) * s.head_dim,
                                      s.head_dim,
                                      w.lse + tile.query + row,
                                      w.delta + tile.query + row,
                                      w.probabilities + at,
                                      w.d_scores + at,
                                      w.kept + at,
                                      static_cast<std::ptrdiff_t>(row + 1) - static_cast<std::ptrdiff_t>(start),
                                      tile.bits == nullptr ? nullptr : tile.bits + row,
                                      start};
            const bool crossing = tile.diagonal && row < start + panel;
            if (vectors == 1) {
                score_block<1>(block, crossing, dropping);
            } else if (vectors == 2 || Blocks<T>::score_vectors == 2) {
                score_block<2>(block, crossing, dropping);
            } else {
                score_block<Blocks<T>::score_vectors>(block, crossing, dropping);
            }
        }
    }
}

template <class T>
void fill_kept(const AttentionBackwardWorkspace<T>& w, const AttentionDropout& dropout, const DropoutNumbers& numbers,
               std::size_t sequence, const BackwardTile& tile) {
    const T kept = T{1} / (T{1} - static_cast<T>(dropout.probability));
    for (std::size_t row = 0; row < tile.rows; ++row) {
        for (std::size_t j = 0; j < attention_tile; j += 4) {
            const auto factors =
                numbers.factors<T>((tile.key + j) / 4, tile.query + row, dropout.first_sequence + sequence, kept);
            std::copy(factors.begin(), factors.end(), w.kept + row * attention_tile + j);
        }
    }
}

// Queries that see one key alone: its probability is 1 and the score's gradient 0, which rounding would miss.
template <class T>
void settle_lone_rows(const AttentionBackwardWorkspace<T>& w, const BackwardTile& tile, std::uint64_t lone,
                      bool dropping) {
    for (; lone != 0; lone &= lone - 1) {
        const auto row = static_cast<std::size_t>(std::countr_zero(lone));
        if (row >= tile.rows) { return; }
        T* p = w.probabilities + row * attention_tile;
        for (std::size_t key = 0; key < attention_tile; ++key) {
            const bool is_seen = tile.bits == nullptr ? key < tile.keys && (!tile.diagonal || key <= row)
                                                      : (tile.bits[row] >> key & 1) != 0;
            p[key] = !is_seen ? T{0} : dropping ? w.kept[row * attention_tile + key] : T{1};
        }
        std::fill_n(w.d_scores + row * attention_tile, attention_tile, T{0});
    }
}

// dv += p^T d_out, dk += d_score^T q, dq += d_score k
template <class T>
void add_products(const AttentionBackwardWorkspace<T>& w, std::size_t dim, const BackwardTile& tile,
                  AttentionGradients gradients) {
    RowProduct<T> to_keys{.left = w.probabilities,
                          .right = w.d_out + tile.query * dim,
                          .result = w.dv + tile.key * dim,
                          .rows = tile.keys,
                          .steps = tile.rows,
                          .dim = dim};
    RowProduct<T> to_queries{.left = w.d_scores,
                             .right = w.key_rows + tile.key * dim,
                             .result = w.dq + tile.query * dim,
                             .rows = tile.rows,
                             .steps = tile.keys,
                             .dim = dim};
    if (tile.diagonal) {
        to_keys.lead = 0;
        to_queries.reach = 0;
    }
    if (gradients != AttentionGradients::queries) {
        row_product<Onto::itself>(to_keys, 1, attention_tile);
        to_keys.left = w.d_scores;
        to_keys.right = w.queries + tile.query * dim;
        to_keys.result = w.dk + tile.key * dim;
        row_product<Onto::itself>(to_keys, 1, attention_tile);
    }
    if (gradients != AttentionGradients::keys) { row_product<Onto::itself>(to_queries, attention_tile, 1); }
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
