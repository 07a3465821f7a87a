// What the forward and the backward pass of delta attention do with a chunk, for use inside HWY_NAMESPACE. Include it
// after hwy/foreach_target.h.

#if defined(LOGLOG_ENGINE_KERNELS_DELTA_ATTENTION_CHUNK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef LOGLOG_ENGINE_KERNELS_DELTA_ATTENTION_CHUNK_INL_HPP
#undef LOGLOG_ENGINE_KERNELS_DELTA_ATTENTION_CHUNK_INL_HPP
#else
#define LOGLOG_ENGINE_KERNELS_DELTA_ATTENTION_CHUNK_INL_HPP
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "engine/kernels/attention_tiles-inl.hpp"
#include "engine/kernels/delta_attention_workspace.hpp"
#include "engine/kernels/delta_products-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE::delta {

/// Consecutive tokens of one query head.
template <class T>
struct DeltaChunk {
    const DeltaAttentionInputs<T>* inputs;
    std::size_t sequence;
    std::size_t head;
    std::size_t first;  // place in the sequence of the first token
    std::size_t rows;   // tokens

    std::size_t kv_head() const { return head / (inputs->sizes.heads / inputs->sizes.kv_heads); }
    std::size_t token(std::size_t row) const { return sequence * inputs->sizes.time + first + row; }
    /// Where a per-head value of a token is.
    std::size_t gate(std::size_t row) const { return token(row) * inputs->sizes.heads + head; }
    /// Place in the sequence of the first token of the row's document.
    std::size_t start(std::size_t row) const {
        return inputs->document_start.empty() ? 0 : static_cast<std::size_t>(inputs->document_start[token(row)]);
    }
    /// The first row of the same document.
    std::size_t oldest(std::size_t row) const { return std::max(start(row), first) - first; }
    /// Whether the row's document began before the chunk: the row sees the state.
    bool sees_state(std::size_t row) const { return start(row) < first; }
    bool begins_document(std::size_t row) const { return start(row) == first + row; }
    /// Documents are in order, so if any row sees the state, the first does.
    bool reads_state() const { return sees_state(0); }
    /// Whether something of the state before the chunk is left after it.
    bool keeps_state() const { return sees_state(rows - 1); }
};

/// The running sums of g, in double and then in two parts of T: differences of nearby sums keep their digits however
/// much the chunk has decayed before.
template <class T>
void sum_decays(const DeltaChunk<T>& c, const DeltaChunkWorkspace<T>& w) {
    double running = 0;
    for (std::size_t i = 0; i < c.rows; ++i) {
        w.beta[i] = c.inputs->beta[c.gate(i)];
        running =
            c.begins_document(i) || c.inputs->g.empty() ? 0 : running + static_cast<double>(c.inputs->g[c.gate(i)]);
        w.high[i] = static_cast<T>(running);
        w.low[i] = static_cast<T>(running - static_cast<double>(w.high[i]));
        w.from_state[i] = c.sees_state(i) ? static_cast<T>(std::exp(running)) : T{0};
    }
    std::fill(w.high + c.rows, w.high + w.extents.columns, T{0});
    std::fill(w.low + c.rows, w.low + w.extents.columns, T{0});
    const std::size_t oldest = c.oldest(c.rows - 1);
    for (std::size_t i = 0; i < c.rows; ++i) {
        const double sum = static_cast<double>(w.high[i]) + static_cast<double>(w.low[i]);
        w.to_state[i] = i < oldest ? T{0} : static_cast<T>(std::exp(running - sum));
    }
    std::fill_n(w.kept, w.extents.key_rows, w.from_state[c.rows - 1]);
}

/// Copies rows scaled to unit length and then by `scale`; keeps 1 / length.
template <class T>
void pack_unit_rows(const T* from, std::size_t stride, std::size_t rows, std::size_t width, T scale, T* to,
                    T* inverse_norms) {
    const hn::ScalableTag<T> d;
    const std::size_t padded = padded_dim(width);
    for (std::size_t row = 0; row < rows; ++row) {
        const T* x = from + row * stride;
        T* y = to + row * padded;
        auto sum = hn::Zero(d);
        for (std::size_t i = 0; i < width; i += hn::Lanes(d)) {
            const auto value = load_first(d, x + i, width - i);
            sum = hn::MulAdd(value, value, sum);
        }
        const T inverse = T{1} / std::sqrt(lane_sum(d, sum) + static_cast<T>(delta_norm_epsilon));
        inverse_norms[row] = inverse;
        const auto factor = hn::Set(d, inverse * scale);
        std::size_t i = 0;
        for (; i < width; i += hn::Lanes(d)) { hn::Store(hn::Mul(factor, load_first(d, x + i, width - i)), d, y + i); }
        for (; i < padded; i += hn::Lanes(d)) { hn::Store(hn::Zero(d), d, y + i); }
    }
}

/// Decays the products of queries and keys and of keys and keys, zeros where a row does not see the column. Only
/// exponents at most 0 reach the exponential, and what is not seen is masked before and after it.
template <class T>
HWY_INLINE void decay_row(const DeltaChunk<T>& c, const DeltaChunkWorkspace<T>& w, std::size_t row) {
    const hn::ScalableTag<T> d;
    const std::size_t lanes = hn::Lanes(d);
    const std::size_t oldest = c.oldest(row);
    const auto high = hn::Set(d, w.high[row]);
    const auto low = hn::Set(d, w.low[row]);
    const auto negated_beta = hn::Set(d, -w.beta[row]);
    const std::size_t at = row * w.extents.columns;
    std::size_t j = 0;
    for (; j <= row; j += lanes) {
        const auto forgotten = hn::FirstN(d, oldest > j ? std::min(lanes, oldest - j) : 0);
        const auto seen = hn::AndNot(forgotten, hn::FirstN(d, std::min(lanes, row + 1 - j)));
        const auto older = hn::AndNot(forgotten, hn::FirstN(d, std::min(lanes, row - j)));
        auto decay = hn::Set(d, T{1});
        if (!c.inputs->g.empty()) {
            const auto exponent = hn::Add(hn::Sub(high, hn::Load(d, w.high + j)), hn::Sub(low, hn::Load(d, w.low + j)));
            decay = vector_exp(d, hn::IfThenElseZero(seen, exponent));
        }
        decay = hn::IfThenElseZero(seen, decay);
        const auto scores = hn::Load(d, w.scores + at + j);
        const auto overlaps = hn::IfThenElseZero(older, hn::Mul(decay, hn::Load(d, w.overlaps + at + j)));
        hn::Store(decay, d, w.decays + at + j);
        hn::Store(hn::IfThenElseZero(seen, hn::Mul(decay, scores)), d, w.scores + at + j);
        hn::Store(overlaps, d, w.overlaps + at + j);
        hn::Store(hn::Mul(negated_beta, overlaps), d, w.negated + at + j);
    }
    for (; j < w.extents.columns; j += lanes) {
        for (T* matrix : {w.decays, w.scores, w.overlaps, w.negated}) { hn::Store(hn::Zero(d), d, matrix + at + j); }
    }
}

/// Fills the workspace, up to `writes`, from the inputs and the state before the chunk.
template <class T>
void prepare_chunk(const DeltaChunk<T>& c, const DeltaChunkWorkspace<T>& w) {
    const auto& in = *c.inputs;
    const auto& s = in.sizes;
    const auto& e = w.extents;
    const T* q = in.q.data + c.token(0) * in.q.token_stride + c.head * s.key_dim;
    const T* k = in.k.data + c.token(0) * in.k.token_stride + c.kv_head() * s.key_dim;
    const T* v = in.v.data + c.token(0) * in.v.token_stride + c.kv_head() * s.value_dim;
    sum_decays(c, w);
    pack_unit_rows(q, in.q.token_stride, c.rows, s.key_dim, in.scale, w.queries, w.query_norms);
    pack_unit_rows(k, in.k.token_stride, c.rows, s.key_dim, T{1}, w.keys, w.key_norms);
    transpose(w.keys, e.keys, c.rows, s.key_dim, w.keys_across, e.columns);
    lower_product(w.queries, e.keys, w.keys_across, s.key_dim, w.scores, c.rows, e.columns);
    lower_product(w.keys, e.keys, w.keys_across, s.key_dim, w.overlaps, c.rows, e.columns);
    for (std::size_t row = 0; row < c.rows; ++row) { decay_row(c, w, row); }
    copy_rows(v, in.v.token_stride, c.rows, s.value_dim, w.errors, e.values);
    if (c.reads_state()) {
        scale_rows(w.keys, w.from_state, T{-1}, c.rows, e.keys, w.weighted);
        row_product<Onto::itself>(RowProduct<T>{.left = w.weighted,
                                                .right = w.state,
                                                .result = w.errors,
                                                .rows = c.rows,
                                                .steps = s.key_dim,
                                                .dim = e.values},
                                  e.keys, 1);
    }
    scale_rows(w.errors, w.beta, T{1}, c.rows, e.values, w.writes);
    solve_lower(w.negated, e.columns, c.rows, w.writes, e.values);
}

}  // namespace loglog::HWY_NAMESPACE::delta
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
