#include <algorithm>
#include <bit>
#include <limits>
#include <numbers>

#include "engine/kernels/attention.hpp"
#include "engine/kernels/attention_workspace.hpp"
#include "engine/kernels/dropout_numbers.hpp"

#include "engine/kernels/attention_backward_piece.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/attention_backward_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/attention_backward_tiles-inl.hpp"
#include "engine/kernels/attention_tiles-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

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
        // A query that sees nothing has no finite sum; whatever it is, all its probabilities are hidden.
        w.lse[i] = lse[i] == -std::numeric_limits<T>::infinity() ? T{0} : lse[i] * std::numbers::log2e_v<T>;
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

template <class T>
void unpack_queries(const AttentionBackward<T>& k, const AttentionBackwardWorkspace<T>& w,
                    const AttentionBackwardPiece& piece, std::size_t head) {
    const auto& s = k.sizes;
    const std::size_t row = piece.sequence * s.time + piece.first_query;
    unpack_rows(w.dq + piece.first_query * padded_dim(s.head_dim), piece.end_query - piece.first_query, s.head_dim,
                k.scale, k.dq.data + row * k.dq.token_stride + head * s.head_dim, k.dq.token_stride);
}

// One query head's part of the piece: its dq, and what it adds to its key/value head's dk and dv. Whatever the piece,
// a query meets its keys in order and a key its queries, so that the bits do not depend on the pieces.
template <class T>
void backward_dense(const AttentionBackward<T>& k, const AttentionBackwardWorkspace<T>& w,
                    const AttentionBackwardPiece& piece, std::size_t head) {
    const auto& s = k.sizes;
    const bool dropping = k.dropout.probability > 0;
    const DropoutNumbers numbers = dropout_numbers(k.dropout, head);
    pack_head(k, w, piece, head);
    for (std::size_t key = piece.first_key; key < piece.end_key; key += attention_tile) {
        for (std::size_t query = std::max(key, piece.first_query); query < piece.end_query;
             query += attention_query_block) {
            const BackwardTile tile{query, key, std::min(attention_query_block, piece.end_query - query),
                                    std::min(attention_tile, piece.end_key - key), query == key};
            if (dropping) { fill_kept(w, k.dropout, numbers, piece.sequence, tile); }
            score_tile(w, s, tile, dropping);
            add_products(w, padded_dim(s.head_dim), tile, piece.gradients);
        }
    }
    if (piece.gradients != AttentionGradients::keys) { unpack_queries(k, w, piece, head); }
}

// One tile where some keys are hidden; only for the queries that see one, moved together if they are few. Not with
// dropout, whose numbers go by place.
template <class T>
void backward_tile(const AttentionBackward<T>& k, const AttentionBackwardWorkspace<T>& w, const BackwardTile& tile,
                   std::uint64_t lone, AttentionGradients gradients) {
    const std::size_t dim = padded_dim(k.sizes.head_dim);
    const bool dropping = k.dropout.probability > 0;
    const std::uint64_t seeing = seeing_rows(tile.bits, tile.rows);
    if (tile.diagonal || dropping || std::popcount(seeing) > static_cast<int>(SomeRows::most)) {
        score_tile(w, k.sizes, tile, dropping);
        settle_lone_rows(w, tile, lone, dropping);
        add_products(w, dim, tile, gradients);
        return;
    }
    const SomeRows rows{seeing};
    AttentionBackwardWorkspace<T> some = w;
    some.queries = w.some_queries;
    some.d_out = w.some_d_out;
    some.dq = w.some_dq;
    some.lse = w.some_lse;
    some.delta = w.some_delta;
    rows.gather(w.queries + tile.query * dim, dim, some.queries);
    rows.gather(w.d_out + tile.query * dim, dim, some.d_out);
    rows.gather(w.dq + tile.query * dim, dim, some.dq);
    rows.gather(w.lse + tile.query, 1, some.lse);
    rows.gather(w.delta + tile.query, 1, some.delta);
    AttentionTileBits bits{};
    if (tile.bits != nullptr) { rows.gather(tile.bits, 1, bits.data()); }
    BackwardTile part = tile;
    part.query = 0;
    part.rows = rows.count();
    part.bits = tile.bits == nullptr ? nullptr : bits.data();
    std::uint64_t some_lone = 0;
    for (std::size_t i = 0; i < rows.count(); ++i) { some_lone |= (lone >> rows[i] & 1) << i; }
    score_tile(some, k.sizes, part, dropping);
    settle_lone_rows(some, part, some_lone, dropping);
    add_products(some, dim, part, gradients);
    rows.scatter(some.dq, dim, w.dq + tile.query * dim);
}

// The same where some keys are hidden, tile of queries by tile of queries; what is needed is packed when first met.
template <class T>
void backward_sparse(const AttentionBackward<T>& k, const AttentionBackwardWorkspace<T>& w,
                     const AttentionBackwardPiece& piece, std::size_t head) {
    const auto& s = k.sizes;
    const bool dropping = k.dropout.probability > 0;
    const DropoutNumbers numbers = dropout_numbers(k.dropout, head);
    const std::size_t dim = padded_dim(s.head_dim);
    VisibleTiles visible{s, k.visible, piece.sequence, head, w.chosen};
    AttentionBackwardPiece part = piece;
    for (std::size_t query = piece.first_query; query < piece.end_query; query += attention_tile) {
        part.first_query = query;
        part.end_query = std::min(piece.end_query, query + attention_tile);
        bool is_packed = false;
        const std::uint64_t lone = visible.lone_rows(query / attention_tile);
        visible.for_each(query / attention_tile, piece.first_key / attention_tile, tile_count(piece.end_key),
                         [&](const VisibleTile& seen) {
                             part.first_key = seen.key_tile * attention_tile;
                             part.end_key = std::min(piece.end_key, part.first_key + attention_tile);
                             if (!is_packed) { pack_head(k, w, part, head); }
                             if (!w.packed[seen.key_tile]) { pack_keys(k, w, part); }
                             is_packed = w.packed[seen.key_tile] = true;
                             const BackwardTile tile{query,
                                                     part.first_key,
                                                     part.end_query - query,
                                                     part.end_key - part.first_key,
                                                     query == part.first_key,
                                                     seen.bits};
                             if (dropping) { fill_kept(w, k.dropout, numbers, piece.sequence, tile); }
                             backward_tile(k, w, tile, lone, piece.gradients);
                         });
        if (piece.gradients == AttentionGradients::keys) { continue; }
        if (!is_packed) { std::fill_n(w.dq + query * dim, attention_tile * dim, T{0}); }
        unpack_queries(k, w, part, head);
    }
}

template <class T>
void backward_piece(const AttentionBackward<T>& k, T* scratch, const AttentionBackwardPiece& piece) {
    const auto& s = k.sizes;
    Carver<T> carver{scratch};
    const AttentionBackwardWorkspace<T> w{carver, s};
    const bool is_dense = k.visible.is_dense();
    const std::size_t dim = padded_dim(s.head_dim);
    const std::size_t rows = piece.end_key - piece.first_key;
    if (is_dense) {
        pack_keys(k, w, piece);
    } else {
        std::fill_n(w.packed, tile_count(s.time), false);
    }
    std::fill_n(w.dk + piece.first_key * dim, padded_time(rows) * dim, T{0});
    std::fill_n(w.dv + piece.first_key * dim, padded_time(rows) * dim, T{0});
    const std::size_t group = s.heads / s.kv_heads;
    for (std::size_t head = piece.kv_head * group; head < (piece.kv_head + 1) * group; ++head) {
        if (is_dense) {
            backward_dense(k, w, piece, head);
        } else {
            backward_sparse(k, w, piece, head);
        }
    }
    if (piece.gradients != AttentionGradients::queries) {
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
