// What the forward and the backward pass of gated linear attention do with one block of tokens. For use inside
// HWY_NAMESPACE, after hwy/foreach_target.h.

#if defined(LOGLOG_ENGINE_KERNELS_VECTOR_DECAY_BLOCKS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef LOGLOG_ENGINE_KERNELS_VECTOR_DECAY_BLOCKS_INL_HPP
#undef LOGLOG_ENGINE_KERNELS_VECTOR_DECAY_BLOCKS_INL_HPP
#else
#define LOGLOG_ENGINE_KERNELS_VECTOR_DECAY_BLOCKS_INL_HPP
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "engine/kernels/linear_chunks-inl.hpp"
#include "engine/kernels/vector_decay_workspace.hpp"
#include "engine/kernels/vector_math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

/// Tokens of one block of one sequence, and one head.
struct DecayBlockPlace {
    std::size_t row;    // of the block's first token among all rows
    std::size_t place;  // of that token in its sequence
    std::size_t rows;
    std::size_t head;

    std::size_t kv_head(const LinearAttentionSizes& s) const { return head / (s.heads / s.kv_heads); }
};

template <class T>
bool starts_document(const VectorDecayInputs<T>& in, const DecayBlockPlace& b, std::size_t row) {
    return !in.document_start.empty() && static_cast<std::size_t>(in.document_start[b.row + row]) == b.place + row;
}

/// Copies a block's rows times `factor`, with zeros up to `stride` channels and decay_block rows.
template <class T>
void pack_block(HeadsView<const T> from, std::size_t head, std::size_t width, const DecayBlockPlace& b, T factor, T* to,
                std::size_t stride) {
    const T* x = from.data + b.row * from.token_stride + head * width;
    pack_chunk(x, from.token_stride, b.rows, width, to, stride,
               [factor](auto d, auto value) HWY_ATTR { return hn::Mul(hn::Set(d, factor), value); });
    std::fill(to + b.rows * stride, to + decay_block * stride, T{0});
}

template <class T>
void pack_factors(const VectorDecayInputs<T>& in, const DecayBlockPlace& b, T* factors, std::size_t stride) {
    const hn::ScalableTag<T> d;
    const auto& s = in.sizes;
    for (std::size_t row = 0; row < b.rows; ++row) {
        const T* g = in.g + ((b.row + row) * s.heads + b.head) * s.key_dim;
        T* y = factors + row * stride;
        if (starts_document(in, b, row)) {
            std::fill_n(y, stride, T{0});
            continue;
        }
        std::size_t c = 0;
        for (; c < s.key_dim; c += hn::Lanes(d)) {
            hn::Store(vector_exp(d, load_first(d, g + c, s.key_dim - c)), d, y + c);
        }
        std::fill(y + c, y + std::max(c, stride), T{1});
    }
    std::fill(factors + b.rows * stride, factors + decay_block * stride, T{1});
}

/// Queries times the decays since the block's start.
template <class T>
void fill_decayed_queries(const DecayBlockRows<T>& b) {
    const hn::ScalableTag<T> d;
    for (std::size_t c = 0; c < b.key_stride; c += hn::Lanes(d)) {
        auto since = hn::Set(d, T{1});
        for (std::size_t at = c; at < decay_block * b.key_stride; at += b.key_stride) {
            since = hn::Mul(since, hn::Load(d, b.factors + at));
            hn::Store(hn::Mul(since, hn::Load(d, b.queries + at)), d, b.decayed_queries + at);
        }
    }
}

/// Keys times the decays until the block's end, and the decay through the block.
template <class T>
void fill_decayed_keys(const DecayBlockRows<T>& b) {
    const hn::ScalableTag<T> d;
    for (std::size_t c = 0; c < b.key_stride; c += hn::Lanes(d)) {
        auto until = hn::Set(d, T{1});
        for (std::size_t row = decay_block; row-- > 0;) {
            const std::size_t at = row * b.key_stride + c;
            hn::Store(hn::Mul(until, hn::Load(d, b.keys + at)), d, b.decayed_keys + at);
            until = hn::Mul(until, hn::Load(d, b.factors + at));
        }
        hn::Store(until, d, b.through + c);
    }
}

/// What carries the state past a block: its keys, values and decays.
template <class T>
void pack_past(const VectorDecayInputs<T>& in, const DecayBlockPlace& at, const DecayBlockRows<T>& b) {
    const auto& s = in.sizes;
    pack_block(in.k, at.kv_head(s), s.key_dim, at, T{1}, b.keys, b.key_stride);
    pack_block(in.v, at.kv_head(s), s.value_dim, at, T{1}, b.values, b.value_stride);
    pack_factors(in, at, b.factors, b.key_stride);
    fill_decayed_keys(b);
}

/// What the block's outputs need, its past too.
template <class T>
void pack_inputs(const VectorDecayInputs<T>& in, const DecayBlockPlace& at, const DecayBlockRows<T>& b) {
    pack_past(in, at, b);
    pack_block(in.q, at.head, in.sizes.key_dim, at, static_cast<T>(in.scale), b.queries, b.key_stride);
    fill_decayed_queries(b);
}

/// Scores of all queries with the keys from `first` on that fit in a vector. For each channel, a vector of keys goes
/// down the rows: it decays, its own row's key joins, and its product with the query is added to the row's scores.
template <std::size_t first, class T>
HWY_INLINE void score_columns(const DecayBlockRows<T>& b, std::size_t key_dim) {
    const hn::ScalableTag<T> d;
    using V = hn::Vec<decltype(d)>;
    constexpr std::size_t lanes = Blocks<T>::lanes;
    hn::Mask<decltype(d)> own[lanes];
    for (std::size_t i = 0; i < lanes; ++i) { own[i] = hn::Eq(hn::Iota(d, 0), hn::Set(d, static_cast<T>(i))); }
    V sums[decay_block];
    HWY_UNROLL(16)
    for (std::size_t row = 0; row < decay_block; ++row) { sums[row] = hn::Zero(d); }
    for (std::size_t c = 0; c < key_dim; ++c) {
        V keys = hn::Zero(d);
        HWY_UNROLL(16)
        for (std::size_t row = first; row < decay_block; ++row) {
            const std::size_t at = row * b.key_stride + c;
            const V factor = hn::Set(d, b.factors[at]);
            if (row < first + lanes) {
                keys = hn::MulAdd(keys, factor, hn::IfThenElseZero(own[row - first], hn::Set(d, b.keys[at])));
            } else {
                keys = hn::Mul(keys, factor);
            }
            sums[row] = hn::MulAdd(hn::Set(d, b.queries[at]), keys, sums[row]);
        }
    }
    HWY_UNROLL(16)
    for (std::size_t row = 0; row < decay_block; ++row) {
        hn::Store(sums[row], d, b.scores + row * decay_block + first);
    }
}

/// scores[i, j] = sum over channels of q_i k_j and the decays from j to i; zero above the diagonal.
template <class T>
void fill_scores(const DecayBlockRows<T>& b, std::size_t key_dim) {
    [&]<std::size_t... part>(std::index_sequence<part...>) {
        (score_columns<part * Blocks<T>::lanes>(b, key_dim), ...);
    }
    (std::make_index_sequence<decay_block / Blocks<T>::lanes>{});
}

/// after = through * before + decayed_keys^T values; both may be the same.
template <class T>
void carry_state(const DecayBlockRows<T>& b, const LinearAttentionSizes& s, const T* before, T* after) {
    chunk_product<Left::columns, Into::rescaled>(ChunkProduct<T>{.left = b.decayed_keys,
                                                                 .left_stride = b.key_stride,
                                                                 .right = b.values,
                                                                 .right_stride = b.value_stride,
                                                                 .result = after,
                                                                 .result_stride = b.value_stride,
                                                                 .rows = s.key_dim,
                                                                 .steps = decay_block,
                                                                 .columns = b.value_stride,
                                                                 .earlier = before,
                                                                 .factor = b.through});
}

/// Copies a block's rows, or adds them to what is there.
template <class T>
void unpack_block(const T* from, std::size_t from_stride, std::size_t head, std::size_t width, const DecayBlockPlace& b,
                  T factor, HeadsView<T> to, bool add) {
    const hn::ScalableTag<T> d;
    for (std::size_t row = 0; row < b.rows; ++row) {
        const T* x = from + row * from_stride;
        T* y = to.data + (b.row + row) * to.token_stride + head * width;
        for (std::size_t i = 0; i < width; i += hn::Lanes(d)) {
            auto value = hn::Mul(hn::Set(d, factor), hn::Load(d, x + i));
            if (add) { value = hn::Add(load_first(d, y + i, width - i), value); }
            store_first(value, d, y + i, width - i);
        }
    }
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
