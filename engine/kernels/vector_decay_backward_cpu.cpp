#include <algorithm>

#include "engine/kernels/vector_decay_attention.hpp"
#include "engine/kernels/vector_decay_workspace.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/vector_decay_backward_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_decay_blocks-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

// rows = (state across)^T: the gradient of decayed queries or keys through a state, in rows of key channels.
template <class T>
void through_state(const VectorDecayBackwardWorkspace<T>& w, const LinearAttentionSizes& s, const T* state,
                   const T* across, T* rows) {
    const auto& b = w.rows;
    chunk_product<Left::rows, Into::result>(ChunkProduct<T>{.left = state,
                                                            .left_stride = b.value_stride,
                                                            .right = across,
                                                            .right_stride = decay_block,
                                                            .result = w.d_keys_across,
                                                            .result_stride = decay_block,
                                                            .rows = s.key_dim,
                                                            .steps = s.value_dim,
                                                            .columns = decay_block});
    transpose_chunk(w.d_keys_across, decay_block, s.key_dim, decay_block, rows, b.key_stride);
}

// d_scores = d_out values^T; what is above the diagonal is not used.
template <class T>
void fill_d_scores(const VectorDecayBackwardWorkspace<T>& w, const LinearAttentionSizes& s) {
    chunk_product<Left::rows, Into::result>(ChunkProduct<T>{.left = w.d_out,
                                                            .left_stride = w.rows.value_stride,
                                                            .right = w.values_across,
                                                            .right_stride = decay_block,
                                                            .result = w.d_scores,
                                                            .result_stride = decay_block,
                                                            .rows = decay_block,
                                                            .steps = s.value_dim,
                                                            .columns = decay_block});
}

// From the gradients of decayed queries to those of scaled queries, with what the block's scores add: a key goes down
// the rows and decays.
template <class T>
HWY_INLINE void query_gradient_column(const VectorDecayBackwardWorkspace<T>& w, std::size_t c) {
    const hn::ScalableTag<T> d;
    using V = hn::Vec<decltype(d)>;
    const auto& b = w.rows;
    V sums[decay_block];
    V since = hn::Set(d, T{1});
    HWY_UNROLL(16)
    for (std::size_t i = 0; i < decay_block; ++i) {
        since = hn::Mul(since, hn::Load(d, b.factors + i * b.key_stride + c));
        sums[i] = hn::Mul(since, hn::Load(d, w.dq + i * b.key_stride + c));
    }
    HWY_UNROLL(16)
    for (std::size_t j = 0; j < decay_block; ++j) {
        V key = hn::Load(d, b.keys + j * b.key_stride + c);
        HWY_UNROLL(16)
        for (std::size_t i = 0; i < decay_block; ++i) {
            if (i < j) { continue; }
            if (i > j) { key = hn::Mul(key, hn::Load(d, b.factors + i * b.key_stride + c)); }
            sums[i] = hn::MulAdd(hn::Set(d, w.d_scores[i * decay_block + j]), key, sums[i]);
        }
    }
    HWY_UNROLL(16)
    for (std::size_t i = 0; i < decay_block; ++i) { hn::Store(sums[i], d, w.dq + i * b.key_stride + c); }
}

// Likewise for keys: a query goes up the rows and decays.
template <class T>
HWY_INLINE void key_gradient_column(const VectorDecayBackwardWorkspace<T>& w, std::size_t c) {
    const hn::ScalableTag<T> d;
    using V = hn::Vec<decltype(d)>;
    const auto& b = w.rows;
    V sums[decay_block];
    V until = hn::Set(d, T{1});
    HWY_UNROLL(16)
    for (std::size_t back = 0; back < decay_block; ++back) {
        const std::size_t j = decay_block - 1 - back;
        sums[j] = hn::Mul(until, hn::Load(d, w.dk + j * b.key_stride + c));
        until = hn::Mul(until, hn::Load(d, b.factors + j * b.key_stride + c));
    }
    HWY_UNROLL(16)
    for (std::size_t i = 0; i < decay_block; ++i) {
        V query = hn::Load(d, b.queries + i * b.key_stride + c);
        HWY_UNROLL(16)
        for (std::size_t back = 0; back < decay_block; ++back) {
            if (back > i) { continue; }
            const std::size_t j = i - back;
            sums[j] = hn::MulAdd(hn::Set(d, w.d_scores[i * decay_block + j]), query, sums[j]);
            query = hn::Mul(query, hn::Load(d, b.factors + j * b.key_stride + c));
        }
    }
    HWY_UNROLL(16)
    for (std::size_t j = 0; j < decay_block; ++j) { hn::Store(sums[j], d, w.dk + j * b.key_stride + c); }
}

template <class T>
void value_gradients(const VectorDecayBackwardWorkspace<T>& w, const LinearAttentionSizes& s) {
    const auto& b = w.rows;
    chunk_product<Left::rows, Into::result>(ChunkProduct<T>{.left = b.decayed_keys,
                                                            .left_stride = b.key_stride,
                                                            .right = w.d_state,
                                                            .right_stride = b.value_stride,
                                                            .result = w.dv,
                                                            .result_stride = b.value_stride,
                                                            .rows = decay_block,
                                                            .steps = s.key_dim,
                                                            .columns = b.value_stride});
    chunk_product<Left::columns, Into::sum, Part::steps_from_row>(ChunkProduct<T>{.left = b.scores,
                                                                                  .left_stride = decay_block,
                                                                                  .right = w.d_out,
                                                                                  .right_stride = b.value_stride,
                                                                                  .result = w.dv,
                                                                                  .result_stride = b.value_stride,
                                                                                  .rows = decay_block,
                                                                                  .steps = decay_block,
                                                                                  .columns = b.value_stride,
                                                                                  .earlier = w.dv});
}

// d_state = through * d_state + decayed_queries^T d_out: now of the state before the block.
template <class T>
void carry_d_state(const VectorDecayBackwardWorkspace<T>& w, const LinearAttentionSizes& s) {
    const auto& b = w.rows;
    chunk_product<Left::columns, Into::rescaled>(ChunkProduct<T>{.left = b.decayed_queries,
                                                                 .left_stride = b.key_stride,
                                                                 .right = w.d_out,
                                                                 .right_stride = b.value_stride,
                                                                 .result = w.d_state,
                                                                 .result_stride = b.value_stride,
                                                                 .rows = s.key_dim,
                                                                 .steps = decay_block,
                                                                 .columns = b.value_stride,
                                                                 .earlier = w.d_state,
                                                                 .factor = b.through});
}

// The part of dg that comes from after a chunk, from the state there and its gradient: exact, where a sum over all
// later tokens would gather their rounding errors.
template <class T>
void start_dg(const VectorDecayBackwardWorkspace<T>& w, const LinearAttentionSizes& s, const T* state) {
    const std::size_t stride = w.rows.value_stride;
    for (std::size_t c = 0; c < s.key_dim; ++c) {
        w.dg[c] = aligned_dot(state + c * stride, w.d_state + c * stride, stride);
    }
}

// dg_t = sum over u >= t of q_u dq_u - k_u dk_u, up to the document's end (Yang et al. 2024, arXiv:2312.06635, sec. 4).
// Nothing decays into a document's or a sequence's first token.
template <class T>
void add_dg(const VectorDecayBackward<T>& k, const VectorDecayBackwardWorkspace<T>& w, const DecayBlockPlace& at) {
    const hn::ScalableTag<T> d;
    const auto& s = k.in.sizes;
    const auto& b = w.rows;
    for (std::size_t row = at.rows; row-- > 0;) {
        const bool first = at.place + row == 0 || starts_document(k.in, at, row);
        T* dg = k.dg + ((at.row + row) * s.heads + at.head) * s.key_dim;
        for (std::size_t c = 0; c < s.key_dim; c += hn::Lanes(d)) {
            const std::size_t i = row * b.key_stride + c;
            auto sum = hn::Load(d, w.dg + c);
            sum = hn::MulAdd(hn::Load(d, b.queries + i), hn::Load(d, w.dq + i), sum);
            sum = hn::NegMulAdd(hn::Load(d, b.keys + i), hn::Load(d, w.dk + i), sum);
            if (first) { sum = hn::Zero(d); }
            hn::Store(sum, d, w.dg + c);
            if (k.accumulate_dg) { sum = hn::Add(sum, load_first(d, dg + c, s.key_dim - c)); }
            store_first(sum, d, dg + c, s.key_dim - c);
        }
    }
}

// Everything of one block, given the state before it and the gradient of the one after it.
template <class T>
void backward_block(const VectorDecayBackward<T>& k, const VectorDecayBackwardWorkspace<T>& w,
                    const DecayBlockPlace& at, const T* state) {
    const hn::ScalableTag<T> d;
    const auto& s = k.in.sizes;
    const auto& b = w.rows;
    pack_inputs(k.in, at, b);
    pack_block(k.d_out, at.head, s.value_dim, at, T{1}, w.d_out, b.value_stride);
    transpose_chunk(b.values, b.value_stride, decay_block, s.value_dim, w.values_across, decay_block);
    transpose_chunk(w.d_out, b.value_stride, decay_block, s.value_dim, w.d_out_across, decay_block);
    fill_scores(b, s.key_dim);
    fill_d_scores(w, s);
    through_state(w, s, state, w.d_out_across, w.dq);
    through_state(w, s, w.d_state, w.values_across, w.dk);
    for (std::size_t c = 0; c < s.key_dim; c += hn::Lanes(d)) {
        query_gradient_column(w, c);
        key_gradient_column(w, c);
    }
    value_gradients(w, s);
    if (k.dg != nullptr) { add_dg(k, w, at); }
    const bool add = at.head % (s.heads / s.kv_heads) != 0;
    unpack_block(w.dq, b.key_stride, at.head, s.key_dim, at, static_cast<T>(k.in.scale), k.dq, false);
    unpack_block(w.dk, b.key_stride, at.kv_head(s), s.key_dim, at, T{1}, k.dk, add);
    unpack_block(w.dv, b.value_stride, at.kv_head(s), s.value_dim, at, T{1}, k.dv, add);
    carry_d_state(w, s);
}

template <class T>
void backward_query_head(const VectorDecayBackward<T>& k, const VectorDecayBackwardWorkspace<T>& w,
                         std::size_t sequence, std::size_t head) {
    const auto& s = k.in.sizes;
    const auto& b = w.rows;
    const std::size_t used = s.key_dim * b.value_stride;
    const DecayBlocks blocks{s};
    const auto place_of = [&](std::size_t index) {
        const std::size_t begin = blocks.begin(index);
        return DecayBlockPlace{sequence * s.time + begin, begin, blocks.end(index) - begin, head};
    };
    std::fill_n(w.states, used, T{0});
    for (std::size_t index = 0; index < blocks.count(); ++index) {
        T* state = w.states + index * w.state_size;
        pack_past(k.in, place_of(index), b);
        carry_state(b, s, state, state + w.state_size);
    }
    std::fill_n(w.d_state, used, T{0});
    for (std::size_t index = blocks.count(); index-- > 0;) {
        const T* state = w.states + index * w.state_size;
        if (k.dg != nullptr && blocks.ends_chunk(index)) { start_dg(w, s, state + w.state_size); }
        backward_block(k, w, place_of(index), state);
    }
}

template <class T>
void backward_head(const VectorDecayBackward<T>& k, T* scratch, std::size_t sequence, std::size_t kv_head) {
    const auto& s = k.in.sizes;
    Carver<T> carver{scratch};
    const VectorDecayBackwardWorkspace<T> w{carver, s};
    const std::size_t group = s.heads / s.kv_heads;
    for (std::size_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
        backward_query_head(k, w, sequence, head);
    }
}

HeadPieces<VectorDecayBackward> vector_decay_backward() { return {backward_head<float>, backward_head<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(vector_decay_backward);

template <class T>
void run(CpuContext& cpu, const VectorDecayBackward<T>& k) {
    const auto& s = k.in.sizes;
    const auto piece = HWY_DYNAMIC_DISPATCH(vector_decay_backward)();
    const std::size_t scratch = decay_workspace_size<VectorDecayBackwardWorkspace<T>, T>(s);
    cpu.for_each(s.batch * s.kv_heads, [&](std::size_t index) {
        piece(k, cpu.scratch_of<T>(scratch), index / s.kv_heads, index % s.kv_heads);
    });
}

template void run(CpuContext&, const VectorDecayBackward<float>&);
template void run(CpuContext&, const VectorDecayBackward<double>&);

}  // namespace loglog
#endif
