#include <algorithm>
#include <numbers>

#include "engine/kernels/attention.hpp"
#include "engine/kernels/attention_workspace.hpp"
#include "engine/kernels/dropout_numbers.hpp"

#include "engine/kernels/attention_backward_piece.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/attention_backward_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/attention_tiles-inl.hpp"

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
};

// p = 2^(score - lse), zero above the diagonal.
template <std::size_t N, bool diagonal, class T>
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
            if constexpr (diagonal) {
                const auto first = static_cast<std::ptrdiff_t>(n * lanes);
                const auto seen = std::clamp<std::ptrdiff_t>(b.visible + static_cast<std::ptrdiff_t>(m) - first, 0,
                                                             static_cast<std::ptrdiff_t>(lanes));
                p = hn::IfThenElseZero(hn::FirstN(d, static_cast<std::size_t>(seen)), p);
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
    if (diagonal) {
        probability_block<N, true>(b);
    } else {
        probability_block<N, false>(b);
    }
    if (dropping) {
        d_score_block<N, true>(b);
    } else {
        d_score_block<N, false>(b);
    }
}

template <class T>
void score_tile(const AttentionBackwardWorkspace<T>& w, const AttentionSizes& s, const BackwardTile& tile,
                bool dropping) {
    constexpr std::size_t M = Blocks<T>::score_rows;
    constexpr std::size_t panel = Blocks<T>::panel;
    constexpr std::size_t lanes = Blocks<T>::lanes;
    const std::size_t dim = padded_dim(s.head_dim);
    if (tile.diagonal) {
        std::fill_n(w.probabilities, attention_tile * attention_tile, T{0});
        std::fill_n(w.d_scores, attention_tile * attention_tile, T{0});
    }
    for (std::size_t start = 0; start < tile.keys; start += panel) {
        for (std::size_t row = 0; row < tile.rows; row += M) {
            const std::size_t seen = tile.diagonal ? row + M : attention_tile + row;  // keys of the tile
            if (seen <= start) { continue; }
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
                                      static_cast<std::ptrdiff_t>(row + 1) - static_cast<std::ptrdiff_t>(start)};
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

template <class T>
void pack_head(const AttentionBackward<T>& k, const AttentionBackwardWorkspace<T>& w,
               const AttentionBackwardPiece& piece, std::size_t head) {
    const hn::ScalableTag<T> d;
    const auto& s = k.sizes;
    const std::size_t dim = padded_dim(s.head_dim);
    const std::size_t first = piece.first_query;
    const std::size_t rows = piece.end_query - first;
    const std::size_t first_row = piece.sequence * s.time;
    const std::size_t at = head * s.head_dim;
    pack_rows(k.q.data + (first_row + first) * k.q.token_stride + at, k.q.token_stride, rows, s.head_dim,
              k.scale * std::numbers::log2e_v<T>, w.queries + first * dim);
    pack_rows(k.d_out.data + (first_row + first) * k.d_out.token_stride + at, k.d_out.token_stride, rows, s.head_dim,
              T{1}, w.d_out + first * dim);
    std::fill_n(w.dq + first * dim, padded_time(rows) * dim, T{0});
    std::fill(w.lse + s.time, w.lse + padded_time(s.time), T{0});
    std::fill(w.delta + s.time, w.delta + padded_time(s.time), T{0});
    const T* lse = k.lse.data() + (piece.sequence * s.heads + head) * s.time;
    for (std::size_t i = first; i < piece.end_query; ++i) {
        w.lse[i] = lse[i] * std::numbers::log2e_v<T>;
        const T* out = k.out.data + (first_row + i) * k.out.token_stride + at;
        auto sum = hn::Zero(d);
        for (std::size_t c = 0; c < s.head_dim; c += hn::Lanes(d)) {
            sum = hn::MulAdd(load_first(d, out + c, s.head_dim - c), hn::Load(d, w.d_out + i * dim + c), sum);
        }
        w.delta[i] = lane_sum(d, sum);
    }
}

template <class T>
void pack_keys(const AttentionBackward<T>& k, const AttentionBackwardWorkspace<T>& w,
               const AttentionBackwardPiece& piece) {
    const auto& s = k.sizes;
    const std::size_t dim = padded_dim(s.head_dim);
    const std::size_t first = piece.first_key;
    const std::size_t rows = piece.end_key - first;
    const std::size_t row = piece.sequence * s.time + first;
    const T* keys = k.k.data + row * k.k.token_stride + piece.kv_head * s.head_dim;
    const T* values = k.v.data + row * k.v.token_stride + piece.kv_head * s.head_dim;
    pack_panels(keys, k.k.token_stride, rows, s.head_dim, w.keys + first * s.head_dim);
    pack_panels(values, k.v.token_stride, rows, s.head_dim, w.values + first * s.head_dim);
    pack_rows(keys, k.k.token_stride, rows, s.head_dim, T{1}, w.key_rows + first * dim);
    std::fill_n(w.dk + first * dim, padded_time(rows) * dim, T{0});
    std::fill_n(w.dv + first * dim, padded_time(rows) * dim, T{0});
}

template <class T>
void unpack_rows(const T* from, std::size_t rows, std::size_t head_dim, T scale, T* to, std::size_t stride) {
    const hn::ScalableTag<T> d;
    const auto factor = hn::Set(d, scale);
    for (std::size_t row = 0; row < rows; ++row) {
        const T* x = from + row * padded_dim(head_dim);
        for (std::size_t i = 0; i < head_dim; i += hn::Lanes(d)) {
            store_first(hn::Mul(factor, hn::Load(d, x + i)), d, to + row * stride + i, head_dim - i);
        }
    }
}

// One query head's part of the piece: its dq, and what it adds to its key/value head's dk and dv. Whatever the piece,
// a query meets its keys in order and a key its queries, so that the bits do not depend on the pieces.
template <class T>
void backward_head(const AttentionBackward<T>& k, const AttentionBackwardWorkspace<T>& w,
                   const AttentionBackwardPiece& piece, std::size_t head) {
    const auto& s = k.sizes;
    const bool dropping = k.dropout.probability > 0;
    const DropoutNumbers numbers = dropout_numbers(k.dropout, head);
    const std::size_t dim = padded_dim(s.head_dim);
    pack_head(k, w, piece, head);
    for (std::size_t key = piece.first_key; key < piece.end_key; key += attention_tile) {
        for (std::size_t query = std::max(key, piece.first_query); query < piece.end_query;
             query += attention_query_block) {
            const BackwardTile tile{query, key, std::min(attention_query_block, piece.end_query - query),
                                    std::min(attention_tile, piece.end_key - key), query == key};
            if (dropping) { fill_kept(w, k.dropout, numbers, piece.sequence, tile); }
            score_tile(w, s, tile, dropping);
            add_products(w, dim, tile, piece.gradients);
        }
    }
    if (piece.gradients != AttentionGradients::keys) {
        const std::size_t row = piece.sequence * s.time + piece.first_query;
        unpack_rows(w.dq + piece.first_query * dim, piece.end_query - piece.first_query, s.head_dim, k.scale,
                    k.dq.data + row * k.dq.token_stride + head * s.head_dim, k.dq.token_stride);
    }
}

template <class T>
void backward_piece(const AttentionBackward<T>& k, T* scratch, const AttentionBackwardPiece& piece) {
    const auto& s = k.sizes;
    Carver<T> carver{scratch};
    const AttentionBackwardWorkspace<T> w{carver, s};
    pack_keys(k, w, piece);
    const std::size_t group = s.heads / s.kv_heads;
    for (std::size_t head = piece.kv_head * group; head < (piece.kv_head + 1) * group; ++head) {
        backward_head(k, w, piece, head);
    }
    if (piece.gradients != AttentionGradients::queries) {
        const std::size_t dim = padded_dim(s.head_dim);
        const std::size_t rows = piece.end_key - piece.first_key;
        const std::size_t row = piece.sequence * s.time + piece.first_key;
        const std::size_t at = piece.kv_head * s.head_dim;
        // The packed queries carry scale * log2(e); dk needs the scale alone.
        unpack_rows(w.dk + piece.first_key * dim, rows, s.head_dim, std::numbers::ln2_v<T>,
                    k.dk.data + row * k.dk.token_stride + at, k.dk.token_stride);
        unpack_rows(w.dv + piece.first_key * dim, rows, s.head_dim, T{1}, k.dv.data + row * k.dv.token_stride + at,
                    k.dv.token_stride);
    }
}

AttentionBackwardPieces attention_backward() { return {backward_piece<float>, backward_piece<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(attention_backward);

namespace {

/// How one head's backward pass is cut: not at all, or into chunks of keys (for dk and dv) and of queries (for dq),
/// which computes the scores twice, 7 products instead of 5, but keeps more threads busy.
std::size_t chunks_per_head(const AttentionSizes& s, int threads) {
    const std::size_t chunks = (s.time + attention_query_chunk - 1) / attention_query_chunk;
    const std::size_t heads = s.batch * s.kv_heads;
    const auto workers = static_cast<std::size_t>(threads);
    const std::size_t rounds = (heads + workers - 1) / workers;
    return chunks > 1 && 7 * heads < 5 * rounds * workers ? chunks : 1;
}

/// Pieces of one chunk come in the order of their work, the largest first: those of dk for the first keys, which most
/// queries see, beside those of dq for the last queries, which see most keys.
AttentionBackwardPiece backward_piece_at(const AttentionSizes& s, std::size_t chunks, std::size_t index) {
    const std::size_t heads = s.batch * s.kv_heads;
    const std::size_t head = index % heads;
    AttentionBackwardPiece piece{head / s.kv_heads, head % s.kv_heads, 0, s.time, 0, s.time, AttentionGradients::all};
    if (chunks == 1) { return piece; }
    const std::size_t rank = index / heads / 2;
    if (index / heads % 2 == 0) {
        piece.gradients = AttentionGradients::keys;
        piece.first_key = rank * attention_query_chunk;
        piece.end_key = std::min(s.time, piece.first_key + attention_query_chunk);
        piece.first_query = piece.first_key;
    } else {
        piece.gradients = AttentionGradients::queries;
        piece.first_query = (chunks - 1 - rank) * attention_query_chunk;
        piece.end_query = std::min(s.time, piece.first_query + attention_query_chunk);
        piece.end_key = piece.end_query;
    }
    return piece;
}

}  // namespace

template <class T>
void run(CpuContext& cpu, const AttentionBackward<T>& k) {
    const auto pieces = HWY_DYNAMIC_DISPATCH(attention_backward)();
    const std::size_t scratch = workspace_size<AttentionBackwardWorkspace<T>, T>(k.sizes);
    const std::size_t chunks = chunks_per_head(k.sizes, cpu.threads());
    cpu.for_each(k.sizes.batch * k.sizes.kv_heads * (chunks == 1 ? 1 : 2 * chunks), [&](std::size_t index) {
        pieces(k, cpu.scratch_of<T>(scratch), backward_piece_at(k.sizes, chunks, index));
    });
}

template void run(CpuContext&, const AttentionBackward<float>&);
template void run(CpuContext&, const AttentionBackward<double>&);

}  // namespace loglog
#endif
