#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
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
    std::size_t query;                              // first of the tile
    std::size_t key;                                // first of the block, of a tile and so at most `query`
    std::size_t rows;                               // queries of the tile that exist
    std::size_t keys;                               // keys of the block that are not later than the tile's last query
    bool is_first;                                  // whether the queries have met no keys yet
    std::array<const std::uint64_t*, 2> bits = {};  // per tile of the block: what each query sees; none: all up to it
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

// Scores of hidden pairs become minus infinity.
template <class T>
void hide_scores(const AttentionForwardWorkspace<T>& w, const ForwardTile& tile) {
    const hn::ScalableTag<T> d;
    constexpr std::size_t lanes = Blocks<T>::lanes;
    const auto hidden = hn::Set(d, -std::numeric_limits<T>::infinity());
    for (std::size_t half = 0; half < 2 && half * attention_tile < tile.keys; ++half) {
        if (tile.bits[half] == nullptr) { continue; }
        for (std::size_t row = 0; row < tile.rows; ++row) {
            T* scores = w.probabilities + row * attention_key_block + half * attention_tile;
            std::uint64_t bits = tile.bits[half][row];
            for (std::size_t i = 0; i < attention_tile; i += lanes, bits >>= lanes) {
                hn::Store(hn::IfThenElse(mask_of(d, bits), hn::Load(d, scores + i), hidden), d, scores + i);
            }
        }
    }
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
        hn::Store(tile.is_first ? sum : hn::MulAdd(hn::Load(d, total), hn::Set(d, w.rescale[row]), sum), d, total);
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
    if (tile.is_first) {
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
        const auto inverse = hn::Set(d, sum == T{0} ? T{0} : T{1} / sum);  // zero: nothing visible
        T* out = k.out.data + (sequence * s.time + tile.query + row) * k.out.token_stride + head * s.head_dim;
        for (std::size_t i = 0; i < s.head_dim; i += hn::Lanes(d)) {
            store_first(hn::Mul(inverse, hn::Load(d, w.out + row * dim + i)), d, out + i, s.head_dim - i);
        }
    }
}

// What a forward pass of one head works with.
template <class T>
struct ForwardHead {
    const AttentionForward<T>& kernel;
    const AttentionForwardWorkspace<T>& workspace;
    std::size_t sequence;
    std::size_t head;
    DropoutNumbers numbers;
};

template <class T>
void pack_keys(const ForwardHead<T>& h, std::size_t begin, std::size_t end) {
    const auto& k = h.kernel;
    const auto& s = k.sizes;
    const std::size_t kv = h.head / (s.heads / s.kv_heads) * s.head_dim;
    const std::size_t row = h.sequence * s.time + begin;
    pack_panels(k.k.data + row * k.k.token_stride + kv, k.k.token_stride, end - begin, s.head_dim,
                h.workspace.keys + begin * s.head_dim);
    pack_rows(k.v.data + row * k.v.token_stride + kv, k.v.token_stride, end - begin, s.head_dim, T{1},
              h.workspace.values + begin * padded_dim(s.head_dim));
}

template <class T>
void start_queries(const ForwardHead<T>& h, std::size_t query, std::size_t rows) {
    const auto& k = h.kernel;
    const auto& s = k.sizes;
    pack_rows(k.q.data + (h.sequence * s.time + query) * k.q.token_stride + h.head * s.head_dim, k.q.token_stride, rows,
              s.head_dim, k.scale * std::numbers::log2e_v<T>, h.workspace.queries);
    std::fill_n(h.workspace.largest, attention_tile, -std::numeric_limits<T>::infinity());
}

template <class T>
void meet_keys(const ForwardHead<T>& h, const ForwardTile& tile) {
    const auto& w = h.workspace;
    score_tile(w, h.kernel.sizes, tile);
    if (tile.bits[0] != nullptr || tile.bits[1] != nullptr) { hide_scores(w, tile); }
    soften_tile(w, tile);
    if (h.kernel.dropout.probability > 0) { drop_tile(w, h.kernel, h.numbers, h.sequence, tile); }
    weigh_values(w, h.kernel.sizes, tile);
}

// The same for the queries that see a key of the block, moved together if they are few. Not with dropout, whose numbers
// go by place.
template <class T>
void meet_visible_keys(const ForwardHead<T>& h, const ForwardTile& tile) {
    std::uint64_t seeing = seeing_rows(tile.bits[0], tile.rows);
    if (tile.keys > attention_tile) { seeing |= seeing_rows(tile.bits[1], tile.rows); }
    const bool is_past = tile.key + tile.keys <= tile.query;
    if (!is_past || h.kernel.dropout.probability > 0 || std::popcount(seeing) > static_cast<int>(SomeRows::most)) {
        meet_keys(h, tile);
        return;
    }
    const auto& w = h.workspace;
    const std::size_t dim = padded_dim(h.kernel.sizes.head_dim);
    const SomeRows rows{seeing};
    AttentionForwardWorkspace<T> some = w;
    some.queries = w.some_queries;
    some.out = w.some_out;
    some.totals = w.some_totals;
    some.largest = w.some_largest;
    rows.gather(w.queries, dim, some.queries);
    rows.gather(w.out, dim, some.out);
    rows.gather(w.totals, 16, some.totals);
    rows.gather(w.largest, 1, some.largest);
    ForwardTile part = tile;
    part.rows = rows.count();
    std::array<AttentionTileBits, 2> bits;
    for (std::size_t half = 0; half < 2; ++half) {
        if (tile.bits[half] == nullptr) { continue; }
        rows.gather(tile.bits[half], 1, bits[half].data());
        part.bits[half] = bits[half].data();
    }
    meet_keys(ForwardHead<T>{h.kernel, some, h.sequence, h.head, h.numbers}, part);
    rows.scatter(some.out, dim, w.out);
    rows.scatter(some.totals, 16, w.totals);
    rows.scatter(some.largest, 1, w.largest);
}

// Queries [begin, end), which see all keys up to themselves.
template <class T>
void forward_dense(const ForwardHead<T>& h, std::size_t begin, std::size_t end) {
    pack_keys(h, 0, end);
    for (std::size_t query = begin; query < end; query += attention_tile) {
        const std::size_t rows = std::min(attention_tile, end - query);
        start_queries(h, query, rows);
        ForwardTile tile{query, 0, rows, 0, true};
        for (; tile.key < query + rows; tile.key += attention_key_block) {
            tile.keys = std::min(attention_key_block, query + rows - tile.key);
            meet_keys(h, tile);
            tile.is_first = false;
        }
        finish_rows(h.kernel, h.workspace, h.sequence, h.head, tile);
    }
}

// Queries [begin, end), which see some keys. Tiles of keys are met in the same blocks of two as above where both are
// visible, and packed when first met.
template <class T>
void forward_sparse(const ForwardHead<T>& h, std::size_t begin, std::size_t end) {
    const auto& w = h.workspace;
    const auto& s = h.kernel.sizes;
    VisibleTiles visible{s, h.kernel.visible, h.sequence, h.head, w.chosen};
    std::fill_n(w.packed, tile_count(s.time), false);
    for (std::size_t query = begin; query < end; query += attention_tile) {
        const std::size_t rows = std::min(attention_tile, end - query);
        start_queries(h, query, rows);
        // A query's first keys may lie in any block, so sums start at zero.
        std::fill_n(w.totals, attention_tile * 16, T{0});
        std::fill_n(w.out, attention_tile * padded_dim(s.head_dim), T{0});
        ForwardTile block{query, 0, rows, 0, false};
        const auto meet = [&] {
            if (block.keys > 0) { meet_visible_keys(h, block); }
            block.keys = 0;
        };
        visible.for_each(query / attention_tile, 0, tile_count(s.time), [&](const VisibleTile& tile) {
            const std::size_t key = tile.key_tile * attention_tile;
            const std::size_t keys = std::min(attention_tile, query + rows - key);
            if (!w.packed[tile.key_tile]) { pack_keys(h, key, key + keys); }
            w.packed[tile.key_tile] = true;
            const bool is_second = block.keys > 0 && tile.key_tile % 2 == 1 && key == block.key + attention_tile;
            if (!is_second) {
                meet();
                block.key = key;
                block.bits = {};
            }
            block.bits[is_second ? 1 : 0] = tile.bits;
            block.keys += keys;
            if (is_second) { meet(); }
        });
        meet();
        finish_rows(h.kernel, w, h.sequence, h.head, block);
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
        const std::size_t last = std::min(s.time, first + attention_query_chunk);
        Carver<T> carver{scratch};
        const AttentionForwardWorkspace<T> w{carver, s};
        const std::size_t head = piece % s.heads;
        const ForwardHead<T> work{k, w, sequence, head, dropout_numbers(k.dropout, head)};
        if (k.visible.is_dense()) {
            forward_dense(work, first, last);
        } else {
            forward_sparse(work, first, last);
        }
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
