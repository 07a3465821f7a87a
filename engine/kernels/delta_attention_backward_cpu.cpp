#include "engine/kernels/delta_attention.hpp"
#include "engine/kernels/delta_attention_workspace.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/delta_attention_backward_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <utility>

#include "engine/kernels/delta_attention_chunk-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {
namespace delta {

/// A chunk whose gradients are computed.
template <class T>
struct BackwardChunk : DeltaChunk<T> {
    bool is_last;          // of its sequence: nothing flows into the state after it
    bool adds_to_kv_head;  // another query head has left gradients of these keys and values
};

// What flows into the writes, from the outputs and from the state after the chunk, and from there through the solve.
template <class T>
void d_writes(const BackwardChunk<T>& c, const DeltaBackwardWorkspace<T>& w) {
    const auto& s = c.inputs->sizes;
    const auto& e = w.extents;
    RowProduct<T> product{.left = w.scores,
                          .right = w.d_out,
                          .result = w.d_writes,
                          .rows = c.rows,
                          .steps = c.rows,
                          .dim = e.values,
                          .lead = 0};
    row_product<Onto::nothing>(product, 1, e.columns);
    if (!c.is_last) {
        scale_rows(w.keys, w.to_state, T{1}, c.rows, e.keys, w.weighted);
        product = {.left = w.weighted,
                   .right = w.d_state,
                   .result = w.d_writes,
                   .rows = c.rows,
                   .steps = s.key_dim,
                   .dim = e.values};
        row_product<Onto::itself>(product, e.keys, 1);
    }
    solve_lower_transposed(w.negated, e.columns, c.rows, w.d_writes, e.values);
}

// Gradients of the products of queries and keys and of keys and keys, in place of those of the decayed ones. With r the
// solve's right-hand side, dM = -(dr u^T) below the diagonal.
template <class T>
HWY_INLINE void d_pairs_row(const DeltaBackwardWorkspace<T>& w, std::size_t row) {
    const hn::ScalableTag<T> d;
    const std::size_t lanes = hn::Lanes(d);
    const std::size_t at = row * w.extents.columns;
    const auto negated_beta = hn::Set(d, -w.beta[row]);
    auto d_beta = hn::Zero(d);
    std::size_t j = 0;
    for (; j <= row; j += lanes) {
        const auto decay = hn::Load(d, w.decays + at + j);
        const auto seen = hn::And(hn::Gt(decay, hn::Zero(d)), hn::FirstN(d, std::min(lanes, row + 1 - j)));
        const auto older = hn::And(seen, hn::FirstN(d, std::min(lanes, row - j)));
        const auto d_scores = hn::Load(d, w.d_scores + at + j);
        const auto d_solve = hn::IfThenElseZero(older, hn::Load(d, w.d_overlaps + at + j));
        d_beta = hn::NegMulAdd(d_solve, hn::Load(d, w.overlaps + at + j), d_beta);
        hn::Store(hn::IfThenElseZero(seen, hn::Mul(decay, d_scores)), d, w.d_scores + at + j);
        hn::Store(hn::Mul(negated_beta, hn::Mul(decay, d_solve)), d, w.d_overlaps + at + j);
    }
    for (; j < w.extents.columns; j += lanes) {
        hn::Store(hn::Zero(d), d, w.d_scores + at + j);
        hn::Store(hn::Zero(d), d, w.d_overlaps + at + j);
    }
    w.d_beta[row] = lane_sum(d, d_beta) +
                    row_dot(w.d_writes + row * w.extents.values, w.errors + row * w.extents.values, w.extents.values);
}

template <class T>
void d_pairs(const BackwardChunk<T>& c, const DeltaBackwardWorkspace<T>& w) {
    const auto& e = w.extents;
    const std::size_t width = c.inputs->sizes.value_dim;
    transpose(w.writes, e.values, c.rows, width, w.writes_across, e.columns);
    lower_product(w.d_out, e.values, w.writes_across, width, w.d_scores, c.rows, e.columns);
    lower_product(w.d_writes, e.values, w.writes_across, width, w.d_overlaps, c.rows, e.columns);
    for (std::size_t row = 0; row < c.rows; ++row) { d_pairs_row(w, row); }
}

// dq += dS-products of the state (where it is seen) and the pairs; likewise the keys that read.
template <class T>
void d_readers(const BackwardChunk<T>& c, const DeltaBackwardWorkspace<T>& w) {
    const auto& s = c.inputs->sizes;
    const auto& e = w.extents;
    const auto through_state = [&](const T* left, T* result) {
        row_product<Onto::nothing>(RowProduct<T>{.left = left,
                                                 .right = w.state_across,
                                                 .result = result,
                                                 .rows = c.rows,
                                                 .steps = s.value_dim,
                                                 .dim = e.keys},
                                   e.values, 1);
    };
    const auto through_pairs = [&](const T* left, T* result) {
        const RowProduct<T> product{.left = left,
                                    .right = w.keys,
                                    .result = result,
                                    .rows = c.rows,
                                    .steps = c.rows,
                                    .dim = e.keys,
                                    .reach = 0};
        if (c.reads_state()) {
            row_product<Onto::itself>(product, e.columns, 1);
        } else {
            row_product<Onto::nothing>(product, e.columns, 1);
        }
    };
    if (c.reads_state()) {
        transpose(w.state, e.values, s.key_dim, s.value_dim, w.state_across, e.keys);
        through_state(w.seen_d_out, w.dq);
        through_state(w.d_predicted, w.dk_reading);
    }
    through_pairs(w.d_scores, w.dq);
    through_pairs(w.d_overlaps, w.dk_reading);
}

// The keys where newer tokens meet them, and what they write to the state.
template <class T>
void d_writers(const BackwardChunk<T>& c, const DeltaBackwardWorkspace<T>& w) {
    const auto& s = c.inputs->sizes;
    const auto& e = w.extents;
    RowProduct<T> product{.left = w.d_scores,
                          .right = w.queries,
                          .result = w.dk_writing,
                          .rows = c.rows,
                          .steps = c.rows,
                          .dim = e.keys,
                          .lead = 0};
    row_product<Onto::nothing>(product, 1, e.columns);
    product.left = w.d_overlaps;
    product.right = w.keys;
    row_product<Onto::itself>(product, 1, e.columns);
    if (c.is_last) { return; }
    scale_rows(w.writes, w.to_state, T{1}, c.rows, e.values, w.left_writes);
    transpose(w.d_state, e.values, s.key_dim, s.value_dim, w.d_state_across, e.keys);
    product = {.left = w.left_writes,
               .right = w.d_state_across,
               .result = w.dk_writing,
               .rows = c.rows,
               .steps = s.value_dim,
               .dim = e.keys};
    row_product<Onto::itself>(product, e.values, 1);
}

// A sum G_i scales what row i reads with and divides what it writes with, so its gradient is q . dq + k . dk of reading
// - k . dk of writing; the last one also scales the state after the chunk. g_t is part of all sums from t on.
template <class T>
void d_decays(const DeltaAttentionBackward<T>& k, const BackwardChunk<T>& c, const DeltaBackwardWorkspace<T>& w) {
    const auto& e = w.extents;
    double running = 0;
    if (!c.is_last) {
        for (std::size_t i = 0; i < c.inputs->sizes.key_dim; ++i) {
            running += static_cast<double>(row_dot(w.next_state + i * e.values, w.d_state + i * e.values, e.values));
        }
    }
    for (std::size_t i = c.rows; i-- > 0;) {
        const std::size_t at = i * e.keys;
        running += static_cast<double>(row_dot(w.queries + at, w.dq + at, e.keys)) +
                   static_cast<double>(row_dot(w.keys + at, w.dk_reading + at, e.keys)) -
                   static_cast<double>(row_dot(w.keys + at, w.dk_writing + at, e.keys));
        if (c.begins_document(i)) { running = 0; }
        T& d_g = k.d_g[c.gate(i)];
        d_g = static_cast<T>(running) + (k.accumulate_d_g ? d_g : T{0});
    }
}

// The gradient of the state before the chunk, in place of that of the state after it.
template <class T>
void d_state(const BackwardChunk<T>& c, const DeltaBackwardWorkspace<T>& w) {
    const auto& e = w.extents;
    RowProduct<T> product{.left = w.queries,
                          .right = w.seen_d_out,
                          .result = w.d_state,
                          .factor = w.kept,
                          .rows = c.inputs->sizes.key_dim,
                          .steps = c.rows,
                          .dim = e.values};
    if (c.is_last || !c.keeps_state()) {
        row_product<Onto::nothing>(product, 1, e.keys);
    } else {
        row_product<Onto::rescaled>(product, 1, e.keys);
    }
    product.left = w.keys;
    product.right = w.d_predicted;
    row_product<Onto::itself>(product, 1, e.keys);
}

// Writes or adds the gradient of a raw vector x from that of scale y, y = inverse_norm x:
// dx = inverse_norm (scale dy - y (y . scale dy)).
template <class T>
HWY_INLINE void store_unit_gradient(const T* x, const T* d_scaled, T scale, T inverse_norm, std::size_t width, T* dx,
                                    bool add) {
    const hn::ScalableTag<T> d;
    const auto inverse = hn::Set(d, inverse_norm);
    const auto factor = hn::Set(d, scale);
    auto dot = hn::Zero(d);
    for (std::size_t i = 0; i < width; i += hn::Lanes(d)) {
        const auto y = hn::Mul(inverse, load_first(d, x + i, width - i));
        dot = hn::MulAdd(y, hn::Mul(factor, load_first(d, d_scaled + i, width - i)), dot);
    }
    const auto along = hn::Set(d, lane_sum(d, dot));
    for (std::size_t i = 0; i < width; i += hn::Lanes(d)) {
        const std::size_t count = width - i;
        const auto y = hn::Mul(inverse, load_first(d, x + i, count));
        auto gradient = hn::Mul(inverse, hn::NegMulAdd(y, along, hn::Mul(factor, load_first(d, d_scaled + i, count))));
        if (add) { gradient = hn::Add(gradient, load_first(d, dx + i, count)); }
        store_first(gradient, d, dx + i, count);
    }
}

// dv = beta dr, and the gradients of raw queries and keys.
template <class T>
void store_gradients(const DeltaAttentionBackward<T>& k, const BackwardChunk<T>& c,
                     const DeltaBackwardWorkspace<T>& w) {
    const hn::ScalableTag<T> d;
    const auto& in = k.inputs;
    const auto& s = in.sizes;
    const auto& e = w.extents;
    for (std::size_t i = 0; i < c.rows; ++i) {
        const std::size_t token = c.token(i);
        const std::size_t q_at = c.head * s.key_dim;
        const std::size_t k_at = c.kv_head() * s.key_dim;
        store_unit_gradient(in.q.data + token * in.q.token_stride + q_at, w.dq + i * e.keys, in.scale, w.query_norms[i],
                            s.key_dim, k.dq.data + token * k.dq.token_stride + q_at, false);
        T* d_key = w.dk_reading + i * e.keys;
        add_row(w.dk_writing + i * e.keys, d_key, s.key_dim);
        store_unit_gradient(in.k.data + token * in.k.token_stride + k_at, d_key, T{1}, w.key_norms[i], s.key_dim,
                            k.dk.data + token * k.dk.token_stride + k_at, c.adds_to_kv_head);
        T* dv = k.dv.data + token * k.dv.token_stride + c.kv_head() * s.value_dim;
        const auto beta = hn::Set(d, w.beta[i]);
        for (std::size_t j = 0; j < s.value_dim; j += hn::Lanes(d)) {
            const std::size_t count = s.value_dim - j;
            auto gradient = hn::Mul(beta, hn::Load(d, w.d_writes + i * e.values + j));
            if (c.adds_to_kv_head) { gradient = hn::Add(gradient, load_first(d, dv + j, count)); }
            store_first(gradient, d, dv + j, count);
        }
        if (!k.d_beta.empty()) {
            T& d_beta = k.d_beta[c.gate(i)];
            d_beta = w.d_beta[i] + (k.accumulate_d_beta ? d_beta : T{0});
        }
    }
}

template <class T>
void backward_chunk(const DeltaAttentionBackward<T>& k, const BackwardChunk<T>& c, const DeltaBackwardWorkspace<T>& w) {
    const auto& s = k.inputs.sizes;
    const auto& e = w.extents;
    prepare_chunk<T>(c, w);
    copy_rows(k.d_out.data + c.token(0) * k.d_out.token_stride + c.head * s.value_dim, k.d_out.token_stride, c.rows,
              s.value_dim, w.d_out, e.values);
    d_writes(c, w);
    d_pairs(c, w);
    if (c.reads_state()) {
        scale_rows(w.d_out, w.from_state, T{1}, c.rows, e.values, w.seen_d_out);
        for (std::size_t i = 0; i < c.rows; ++i) { w.d_running[i] = w.beta[i] * w.from_state[i]; }
        scale_rows(w.d_writes, w.d_running, T{-1}, c.rows, e.values, w.d_predicted);
    }
    d_readers(c, w);
    d_writers(c, w);
    if (!k.d_g.empty()) { d_decays(k, c, w); }
    store_gradients(k, c, w);
    if (c.first > 0 && c.reads_state()) { d_state(c, w); }
}

template <class T>
void backward_head(const DeltaAttentionBackward<T>& k, DeltaBackwardWorkspace<T>& w, std::size_t sequence,
                   std::size_t head) {
    const auto& s = k.inputs.sizes;
    const std::size_t state_size = s.key_dim * s.value_dim;
    const std::size_t index = sequence * s.heads + head;
    // Whether anything flows into the state after the chunk.
    bool is_last = true;
    for (std::size_t chunk = s.chunks(); chunk-- > 0;) {
        const std::size_t first = chunk * s.chunk;
        BackwardChunk<T> c{{&k.inputs, sequence, head, first, std::min(s.chunk, s.time - first)},
                           is_last,
                           head % (s.heads / s.kv_heads) != 0};
        if (chunk > 0) {
            copy_rows(k.states.data() + (index * (s.chunks() - 1) + chunk - 1) * state_size, s.value_dim, s.key_dim,
                      s.value_dim, w.state, w.extents.values);
        }
        backward_chunk(k, c, w);
        std::swap(w.state, w.next_state);
        is_last = !c.reads_state();
    }
}

template <class T>
void backward_piece(const DeltaAttentionBackward<T>& k, T* scratch, std::size_t begin, std::size_t end) {
    const auto& s = k.inputs.sizes;
    Carver<T> carver{scratch};
    DeltaBackwardWorkspace<T> w{carver, s};
    const std::size_t group = s.heads / s.kv_heads;
    for (std::size_t piece = begin; piece < end; ++piece) {
        for (std::size_t i = 0; i < group; ++i) {
            backward_head(k, w, piece / s.kv_heads, piece % s.kv_heads * group + i);
        }
    }
}

}  // namespace delta

ChunkPieces<DeltaAttentionBackward> delta_attention_backward() {
    return {delta::backward_piece<float>, delta::backward_piece<double>};
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(delta_attention_backward);

template <class T>
void run(CpuContext& cpu, const DeltaAttentionBackward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(delta_attention_backward)();
    const auto& s = k.inputs.sizes;
    const std::size_t scratch = delta_scratch<DeltaBackwardWorkspace, T>(s);
    cpu.for_each(s.batch * s.kv_heads,
                 [&](std::size_t index) { piece(k, cpu.scratch_of<T>(scratch), index, index + 1); });
}

template void run(CpuContext&, const DeltaAttentionBackward<float>&);
template void run(CpuContext&, const DeltaAttentionBackward<double>&);

}  // namespace loglog
#endif
