#include <cmath>
#include <limits>
#include <numbers>

#include "engine/kernels/attention.hpp"
#include "engine/kernels/attention_workspace.hpp"
#include "engine/kernels/dropout_numbers.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/attention_forward_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/attention_tiles-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

/// A tile of queries against a block of keys.
struct ForwardTile {
    std::size_t query;  // first of the tile
    std::size_t key;    // first of the block, a multiple of its size and so at most `query`
    std::size_t rows;   // queries of the tile that exist
    std::size_t keys;   // keys of the block that the tile's last query sees
};

template <std::size_t N, class T>
HWY_INLINE void score_block(const T* queries, std::size_t dim, const T* keys, std::size_t head_dim, T* scores) {
    const hn::ScalableTag<T> d;
    using V = hn::Vec<decltype(d)>;
    constexpr std::size_t M = Blocks<T>::score_rows;
    V sums[M][N];
    HWY_UNROLL(16)
    for (std::size_t m = 0; m < M; ++m) {
        HWY_UNROLL(16)
        for (std::size_t n = 0; n < N; ++n) { sums[m][n] = hn::Zero(d); }
    }
    add_outer_products<M, N>(queries, dim, 1, keys, Blocks<T>::panel, head_dim, sums);
    HWY_UNROLL(16)
    for (std::size_t m = 0; m < M; ++m) {
        HWY_UNROLL(16)
        for (std::size_t n = 0; n < N; ++n) {
            hn::Store(sums[m][n], d, scores + m * attention_key_block + n * Blocks<T>::lanes);
        }
    }
}

// Scores in base 2 of every pair in the tile that is on or below the diagonal, and some above it.
template <class T>
void score_tile(const AttentionForwardWorkspace<T>& w, const AttentionSizes& sizes, const ForwardTile& tile) {
    constexpr std::size_t M = Blocks<T>::score_rows;
    constexpr std::size_t panel = Blocks<T>::panel;
    const std::size_t dim = padded_dim(sizes.head_dim);
    for (std::size_t start = 0; start < tile.keys; start += panel) {
        const T* keys = w.keys + (tile.key + start) * sizes.head_dim;
        for (std::size_t row = 0; row < tile.rows; row += M) {
            const std::size_t seen = tile.query + row + M - tile.key;  // by the block's last row
            if (seen <= start) { continue; }
            const std::size_t vectors = (seen - start + Blocks<T>::lanes - 1) / Blocks<T>::lanes;
            const T* queries = w.queries + row * dim;
            T* scores = w.probabilities + row * attention_key_block + start;
            if (vectors == 1) {
                score_block<1>(queries, dim, keys, sizes.head_dim, scores);
            } else if (vectors == 2 || Blocks<T>::score_vectors == 2) {
                score_block<2>(queries, dim, keys, sizes.head_dim, scores);
            } else {
                score_block<Blocks<T>::score_vectors>(queries, dim, keys, sizes.head_dim, scores);
            }
        }
    }
}

template <class T>
HWY_INLINE T largest_score(const T* scores, std::size_t visible) {
    const hn::ScalableTag<T> d;
    constexpr std::size_t lanes = Blocks<T>::lanes;
    auto largest0 = hn::Set(d, -std::numeric_limits<T>::infinity());
    auto largest1 = largest0;
    std::size_t i = 0;
    for (; i + 2 * lanes <= visible; i += 2 * lanes) {
        largest0 = hn::Max(largest0, hn::Load(d, scores + i));
        largest1 = hn::Max(largest1, hn::Load(d, scores + i + lanes));
    }
    for (; i < visible; i += lanes) {
        const auto mask = hn::FirstN(d, std::min(lanes, visible - i));
        largest1 = hn::Max(largest1, hn::IfThenElse(mask, hn::Load(d, scores + i), largest0));
    }
    return hn::GetLane(hn::MaxOfLanes(d, hn::Max(largest0, largest1)));
}

// Turns a row of scores into probabilities relative to the row's largest score so far, zeros beyond the visible ones.
template <class T>
HWY_INLINE void soften_row(const AttentionForwardWorkspace<T>& w, const ForwardTile& tile, std::size_t row) {
    const hn::ScalableTag<T> d;
    constexpr std::size_t lanes = Blocks<T>::lanes;
    T* scores = w.probabilities + row * attention_key_block;
    const std::size_t visible = std::min(tile.query + row + 1 - tile.key, tile.keys);
    const T before = w.largest[row];
    const T largest = std::max(before, largest_score(scores, visible));
    // A row without a finite score has no largest one to subtract.
    const T shift = largest == -std::numeric_limits<T>::infinity() ? T{0} : largest;
    w.largest[row] = largest;
    w.rescale[row] = before - shift;
    const auto center = hn::Set(d, shift);
    auto sum = hn::Zero(d);
    std::size_t i = 0;
    for (; i + lanes <= visible; i += lanes) {
        const auto p = exp2_of_negative(d, hn::Sub(hn::Load(d, scores + i), center));
        sum = hn::Add(sum, p);
        hn::Store(p, d, scores + i);
    }
    if (i < visible) {
        const auto mask = hn::FirstN(d, visible - i);
        const auto p = hn::IfThenElseZero(mask, exp2_of_negative(d, hn::Sub(hn::Load(d, scores + i), center)));
        sum = hn::Add(sum, p);
        hn::Store(p, d, scores + i);
        i += lanes;
    }
    for (; i < tile.keys; i += lanes) { hn::Store(hn::Zero(d), d, scores + i); }
    hn::Store(sum, d, w.sums + row * 16);
}

template <class T>
void soften_tile(const AttentionForwardWorkspace<T>& w, const ForwardTile& tile) {
    const hn::ScalableTag<T> d;
    constexpr std::size_t lanes = Blocks<T>::lanes;
    for (std::size_t row = 0; row < tile.rows; ++row) { soften_row(w, tile, row); }
    for (std::size_t row = 0; row < tile.rows; row += lanes) {
        hn::Store(exp2_of_negative(d, hn::Load(d, w.rescale + row)), d, w.rescale + row);
    }
    for (std::size_t row = 0; row < tile.rows; ++row) {
        const auto sum = hn::Load(d, w.sums + row * 16);
        T* total = w.totals + row * 16;
        hn::Store(tile.key == 0 ? sum : hn::MulAdd(hn::Load(d, total), hn::Set(d, w.rescale[row]), sum), d, total);
    }
}

template <class T>
void drop_tile(const AttentionForwardWorkspace<T>& w, const AttentionForward<T>& k, const DropoutNumbers& numbers,
               std::size_t sequence, const ForwardTile& tile) {
    const T kept = T{1} / (T{1} - static_cast<T>(k.dropout.probability));
    for (std::size_t row = 0; row < tile.rows; ++row) {
        T* p = w.probabilities + row * attention_key_block;
        for (std::size_t j = 0; j < tile.keys; j += 4) {
            const auto factors =
                numbers.factors<T>((tile.key + j) / 4, tile.query + row, k.dropout.first_sequence + sequence, kept);
            for (std::size_t i = 0; i < 4; ++i) { p[j + i] *= factors[i]; }
        }
    }
}

template <class T>
void weigh_values(const AttentionForwardWorkspace<T>& w, const AttentionSizes& sizes, const ForwardTile& tile) {
    const std::size_t dim = padded_dim(sizes.head_dim);
    const RowProduct<T> product{.left = w.probabilities,
                                .right = w.values + tile.key * dim,
                                .result = w.out,
                                .factor = w.rescale,
                                .rows = tile.rows,
                                .steps = tile.keys,
                                .dim = dim,
                                .reach = tile.query - tile.key};
    if (tile.key == 0) {
        row_product<Onto::nothing>(product, attention_key_block, 1);
    } else {
        row_product<Onto::rescaled>(product, attention_key_block, 1);
    }
}

template <class T>
void finish_rows(const AttentionForward<T>& k, const AttentionForwardWorkspace<T>& w, std::size_t sequence,
                 std::size_t head, const ForwardTile& tile) {
    const hn::ScalableTag<T> d;
    const auto& s = k.sizes;
    const std::size_t dim = padded_dim(s.head_dim);
    for (std::size_t row = 0; row < tile.rows; ++row) {
        const T sum = lane_sum(d, hn::Load(d, w.totals + row * 16));
        const T largest = w.largest[row];
        k.lse[(sequence * s.heads + head) * s.time + tile.query + row] =
            largest * std::numbers::ln2_v<T> + std::log(sum);
        const auto inverse = hn::Set(d, T{1} / sum);
        T* out = k.out.data + (sequence * s.time + tile.query + row) * k.out.token_stride + head * s.head_dim;
        for (std::size_t i = 0; i < s.head_dim; i += hn::Lanes(d)) {
            store_first(hn::Mul(inverse, hn::Load(d, w.out + row * dim + i)), d, out + i, s.head_dim - i);
        }
    }
}

// Queries [begin, end) of one head of one sequence.
template <class T>
void forward_head(const AttentionForward<T>& k, T* scratch, std::size_t sequence, std::size_t head, std::size_t begin,
                  std::size_t end) {
    const auto& s = k.sizes;
    Carver<T> carver{scratch};
    const AttentionForwardWorkspace<T> w{carver, s};
    const std::size_t kv = head / (s.heads / s.kv_heads) * s.head_dim;
    const std::size_t first_row = sequence * s.time;
    pack_panels(k.k.data + first_row * k.k.token_stride + kv, k.k.token_stride, end, s.head_dim, w.keys);
    pack_rows(k.v.data + first_row * k.v.token_stride + kv, k.v.token_stride, end, s.head_dim, T{1}, w.values);
    const DropoutNumbers numbers = dropout_numbers(k.dropout, head);
    for (std::size_t query = begin; query < end; query += attention_tile) {
        const std::size_t rows = std::min(attention_tile, end - query);
        pack_rows(k.q.data + (first_row + query) * k.q.token_stride + head * s.head_dim, k.q.token_stride, rows,
                  s.head_dim, k.scale * std::numbers::log2e_v<T>, w.queries);
        std::fill_n(w.largest, attention_tile, -std::numeric_limits<T>::infinity());
        ForwardTile tile{query, 0, rows, 0};
        for (; tile.key < query + rows; tile.key += attention_key_block) {
            tile.keys = std::min(attention_key_block, query + rows - tile.key);
            score_tile(w, s, tile);
            soften_tile(w, tile);
            if (k.dropout.probability > 0) { drop_tile(w, k, numbers, sequence, tile); }
            weigh_values(w, s, tile);
        }
        finish_rows(k, w, sequence, head, tile);
    }
}

// Pieces are numbered by chunk of queries (the last, which have the most keys, first), sequence and head.
template <class T>
void forward_piece(const AttentionForward<T>& k, T* scratch, std::size_t begin, std::size_t end) {
    const auto& s = k.sizes;
    const std::size_t chunks = (s.time + attention_query_chunk - 1) / attention_query_chunk;
    for (std::size_t piece = begin; piece < end; ++piece) {
        const std::size_t chunk = chunks - 1 - piece / (s.batch * s.heads);
        const std::size_t sequence = piece / s.heads % s.batch;
        const std::size_t first = chunk * attention_query_chunk;
        forward_head(k, scratch, sequence, piece % s.heads, first, std::min(s.time, first + attention_query_chunk));
    }
}

ChunkPieces<AttentionForward> attention_forward() { return {forward_piece<float>, forward_piece<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(attention_forward);

template <class T>
void run(CpuContext& cpu, const AttentionForward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(attention_forward)();
    const auto& s = k.sizes;
    const std::size_t chunks = (s.time + attention_query_chunk - 1) / attention_query_chunk;
    const std::size_t scratch = workspace_size<AttentionForwardWorkspace<T>, T>(s);
    cpu.for_each(chunks * s.batch * s.heads,
                 [&](std::size_t index) { piece(k, cpu.scratch_of<T>(scratch), index, index + 1); });
}

template void run(CpuContext&, const AttentionForward<float>&);
template void run(CpuContext&, const AttentionForward<double>&);

}  // namespace loglog
#endif
