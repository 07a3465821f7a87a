#include <algorithm>

#include "engine/kernels/linear_attention.hpp"
#include "engine/kernels/linear_workspace.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/linear_attention_backward_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/linear_features-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

template <class T>
void pack_wide_values(const LinearAttentionBackward<T>& k, const LinearBackwardWorkspace<T>& w,
                      const ChunkPlace& place) {
    const std::size_t value_dim = k.in.sizes.value_dim;
    pack_values(k.in, place, w.values, w.wide_stride);
    if (w.value_rows == value_dim) { return; }
    for (std::size_t row = 0; row < place.rows; ++row) { w.values[row * w.wide_stride + value_dim] = T{1}; }
}

template <class T>
void fill_chunk_decays(const LinearAttentionBackward<T>& k, const LinearBackwardWorkspace<T>& w,
                       const ChunkPlace& place) {
    fill_chunk_factors(k.in, place, w.factors);
    fill_decays(w.factors, place.rows, w.layout.pair_stride, w.between, w.since_start);
}

// The state after each chunk, from the one before it: a row per channel of a value. Overwrites the keys.
template <class T>
void recompute_states(const LinearAttentionBackward<T>& k, const LinearBackwardWorkspace<T>& w, std::size_t sequence,
                      std::size_t head) {
    const auto& s = k.in.sizes;
    const auto& l = w.layout;
    std::fill_n(w.states, w.state_size, T{0});
    // The last state is read only for the gradient of the decays.
    const std::size_t end = k.dg.empty() ? (s.time - 1) / l.chunk * l.chunk : s.time;
    T* state = w.states;
    for (std::size_t begin = 0; begin < end; begin += l.chunk, state += w.state_size) {
        const ChunkPlace place{s, l.chunk, sequence, head, begin};
        if (!has_constant_decays(k.in)) { fill_chunk_decays(k, w, place); }
        pack_keys(k.in, place, w.keys, l.key_stride);
        scale_chunk_rows(w.keys, l.key_stride, place.rows, w.between + (place.rows - 1) * l.pair_stride);
        pack_wide_values(k, w, place);
        std::fill_n(w.state_factor, w.value_rows + chunk_spare_rows, w.since_start[place.rows - 1]);
        Prefetches prefetches;
        if (begin + l.chunk < end) {
            prefetch_past(prefetches, k.in, ChunkPlace{s, l.chunk, sequence, head, begin + l.chunk});
        }
        chunk_product<Left::columns, Into::rescaled>(ChunkProduct<T>{.left = w.values,
                                                                     .left_stride = w.wide_stride,
                                                                     .right = w.keys,
                                                                     .right_stride = l.key_stride,
                                                                     .result = state + w.state_size,
                                                                     .result_stride = l.key_stride,
                                                                     .rows = w.value_rows,
                                                                     .steps = place.rows,
                                                                     .columns = l.key_stride,
                                                                     .earlier = state,
                                                                     .factor = w.state_factor,
                                                                     .prefetches = &prefetches});
    }
}

// Where there are normalizers n, d_out becomes d_out / n and gets another channel, the normalizers' own gradient
// -(d_out . out) / n, or 0 where n is held at its floor.
template <class T>
void pack_d_out(const LinearAttentionBackward<T>& k, const LinearBackwardWorkspace<T>& w, const ChunkPlace& place) {
    const hn::ScalableTag<T> d;
    const auto& s = k.in.sizes;
    const std::size_t at = place.head * s.value_dim;
    const T* from = k.d_out.data + place.token * k.d_out.token_stride + at;
    pack_chunk(from, k.d_out.token_stride, place.rows, s.value_dim, w.d_out, w.wide_stride,
               [](auto, auto x) HWY_ATTR { return x; });
    if (k.normalizers.values.empty()) { return; }
    const T* normalizers = k.normalizers.values.data() + (place.sequence * s.heads + place.head) * s.time + place.begin;
    for (std::size_t row = 0; row < place.rows; ++row) {
        const T* out = k.out.data + (place.token + row) * k.out.token_stride + at;
        T* d_out = w.d_out + row * w.wide_stride;
        const auto inverse = hn::Set(d, T{1} / normalizers[row]);
        auto sum = hn::Zero(d);
        for (std::size_t i = 0; i < s.value_dim; i += hn::Lanes(d)) {
            const auto x = hn::Mul(inverse, hn::Load(d, d_out + i));
            sum = hn::MulAdd(x, load_first(d, out + i, s.value_dim - i), sum);
            hn::Store(x, d, d_out + i);
        }
        const bool held = k.normalizers.clamp && !(normalizers[row] > static_cast<T>(k.normalizers.epsilon));
        d_out[s.value_dim] = held ? T{0} : -lane_sum(d, sum);
    }
}

template <class T>
void pack_backward_chunk(const LinearAttentionBackward<T>& k, const LinearBackwardWorkspace<T>& w,
                         const ChunkPlace& place) {
    const auto& s = k.in.sizes;
    const auto& l = w.layout;
    if (!has_constant_decays(k.in)) { fill_chunk_decays(k, w, place); }
    pack_queries(k.in, place, w.queries, l.key_stride);
    pack_keys(k.in, place, w.keys, l.key_stride);
    pack_wide_values(k, w, place);
    pack_d_out(k, w, place);
    transpose_chunk(w.keys, l.key_stride, place.rows, s.key_dim, w.keys_across, l.pair_stride);
    transpose_chunk(w.values, w.wide_stride, place.rows, w.value_rows, w.values_across, l.pair_stride);
    transpose_chunk(w.d_state, l.key_stride, w.value_rows, s.key_dim, w.d_state_across, w.wide_stride);
}

// scores = between * (queries keys^T), d_scores = between * (d_out values^T)
template <class T>
void score_chunk(const LinearBackwardWorkspace<T>& w, const LinearAttentionSizes& s, std::size_t rows,
                 Prefetches& prefetches) {
    const auto& l = w.layout;
    ChunkProduct<T> p{.left = w.queries,
                      .left_stride = l.key_stride,
                      .right = w.keys_across,
                      .right_stride = l.pair_stride,
                      .result = w.scores,
                      .result_stride = l.pair_stride,
                      .rows = rows,
                      .steps = s.key_dim,
                      .columns = l.pair_stride,
                      .mask = w.between,
                      .prefetches = &prefetches};
    chunk_product<Left::rows, Into::masked, Part::columns_to_row>(p);
    p.left = w.d_out;
    p.left_stride = w.wide_stride;
    p.right = w.values_across;
    p.result = w.d_scores;
    p.steps = w.value_rows;
    chunk_product<Left::rows, Into::masked, Part::columns_to_row>(p);
}

// dq = since_start * (d_out state^T) + d_scores keys
template <class T>
void query_gradients(const LinearBackwardWorkspace<T>& w, const T* state, std::size_t rows, Prefetches& prefetches) {
    const auto& l = w.layout;
    ChunkProduct<T> p{.left = w.d_out,
                      .left_stride = w.wide_stride,
                      .right = state,
                      .right_stride = l.key_stride,
                      .result = w.dq,
                      .result_stride = l.key_stride,
                      .rows = rows,
                      .steps = w.value_rows,
                      .columns = l.key_stride,
                      .earlier = w.dq,
                      .factor = w.since_start,
                      .prefetches = &prefetches};
    chunk_product<Left::rows, Into::result>(p);
    p.left = w.d_scores;
    p.left_stride = l.pair_stride;
    p.right = w.keys;
    p.steps = rows;
    chunk_product<Left::rows, Into::rescaled, Part::steps_to_row>(p);
}

// dk = until_end * (values d_state^T) + d_scores^T queries, dv = until_end * (keys d_state) + scores^T d_out
template <class T>
void key_gradients(const LinearBackwardWorkspace<T>& w, const LinearAttentionSizes& s, std::size_t rows,
                   Prefetches& prefetches) {
    const auto& l = w.layout;
    const T* until_end = w.between + (rows - 1) * l.pair_stride;
    ChunkProduct<T> dk{.left = w.values,
                       .left_stride = w.wide_stride,
                       .right = w.d_state,
                       .right_stride = l.key_stride,
                       .result = w.dk,
                       .result_stride = l.key_stride,
                       .rows = rows,
                       .steps = w.value_rows,
                       .columns = l.key_stride,
                       .earlier = w.dk,
                       .factor = until_end,
                       .prefetches = &prefetches};
    ChunkProduct<T> dv{.left = w.keys,
                       .left_stride = l.key_stride,
                       .right = w.d_state_across,
                       .right_stride = w.wide_stride,
                       .result = w.dv,
                       .result_stride = l.value_stride,
                       .rows = rows,
                       .steps = s.key_dim,
                       .columns = l.value_stride,
                       .earlier = w.dv,
                       .factor = until_end,
                       .prefetches = &prefetches};
    chunk_product<Left::rows, Into::result>(dk);
    chunk_product<Left::rows, Into::result>(dv);
    dk.left = w.d_scores;
    dv.left = w.scores;
    dk.left_stride = dv.left_stride = l.pair_stride;
    dk.right = w.queries;
    dv.right = w.d_out;
    dk.steps = dv.steps = rows;
    chunk_product<Left::columns, Into::rescaled, Part::steps_from_row>(dk);
    chunk_product<Left::columns, Into::rescaled, Part::steps_from_row>(dv);
}

// d_state = since_start[last] * d_state + d_out^T (since_start * queries), of the state before the chunk. Overwrites
// the queries.
template <class T>
void retreat_state(const LinearBackwardWorkspace<T>& w, std::size_t rows) {
    const auto& l = w.layout;
    scale_chunk_rows(w.queries, l.key_stride, rows, w.since_start);
    std::fill_n(w.state_factor, w.value_rows + chunk_spare_rows, w.since_start[rows - 1]);
    chunk_product<Left::columns, Into::rescaled>(ChunkProduct<T>{.left = w.d_out,
                                                                 .left_stride = w.wide_stride,
                                                                 .right = w.queries,
                                                                 .right_stride = l.key_stride,
                                                                 .result = w.d_state,
                                                                 .result_stride = l.key_stride,
                                                                 .rows = w.value_rows,
                                                                 .steps = rows,
                                                                 .columns = l.key_stride,
                                                                 .earlier = w.d_state,
                                                                 .factor = w.state_factor});
}

// dg_t = sum over u >= t of (q_u . dq_u - k_u . dk_u) in t's document: scaling a decay scales every later query's view
// of every earlier key. What later chunks add to the sum is the product of the state after this chunk and its gradient,
// so that sums, and their rounding errors, are of one chunk.
template <class T>
void decay_gradients(const LinearAttentionBackward<T>& k, const LinearBackwardWorkspace<T>& w, const ChunkPlace& place,
                     const T* state_after) {
    const auto& s = k.in.sizes;
    const std::size_t stride = w.layout.key_stride;
    T sum = aligned_dot(state_after, w.d_state, w.value_rows * stride);
    for (std::size_t row = place.rows; row-- > 0;) {
        const std::size_t at = row * stride;
        sum += aligned_dot(w.queries + at, w.dq + at, stride) - aligned_dot(w.keys + at, w.dk + at, stride);
        const bool starts = place.begin + row == 0 ||
                            (!k.in.document_start.empty() &&
                             static_cast<std::size_t>(k.in.document_start[place.token + row]) == place.begin + row);
        if (starts) { sum = T{0}; }
        T& dg = k.dg[(place.token + row) * s.heads + place.head];
        dg = k.accumulate_dg ? dg + sum : sum;
    }
}

// to (+)= factor * from * phi'(x), where `features` are phi(x) / inverse.
template <class T>
void store_gradient(const T* from, const T* features, std::size_t from_stride, FeatureMap map, T factor, T inverse,
                    std::size_t rows, std::size_t width, T* to, std::size_t stride, bool accumulate) {
    const hn::ScalableTag<T> d;
    const auto scale = hn::Set(d, factor);
    const auto unscale = hn::Set(d, inverse);
    for (std::size_t row = 0; row < rows; ++row) {
        T* y = to + row * stride;
        for (std::size_t i = 0; i < width; i += hn::Lanes(d)) {
            const std::size_t at = row * from_stride + i;
            auto x = hn::Mul(scale, hn::Load(d, from + at));
            if (map != FeatureMap::identity) {
                x = hn::Mul(x, feature_slope(d, map, hn::Mul(unscale, hn::Load(d, features + at))));
            }
            if (accumulate) { x = hn::Add(load_first(d, y + i, width - i), x); }
            store_first(x, d, y + i, width - i);
        }
    }
}

template <class T>
void store_gradients(const LinearAttentionBackward<T>& k, const LinearBackwardWorkspace<T>& w, const ChunkPlace& place,
                     bool first_of_group) {
    const auto& s = k.in.sizes;
    const auto& l = w.layout;
    const std::size_t kv = place.head / (s.heads / s.kv_heads);
    const T scale = static_cast<T>(k.in.scale);
    const T inverse = scale == T{0} ? T{0} : T{1} / scale;
    store_gradient(w.dq, w.queries, l.key_stride, k.in.map, scale, inverse, place.rows, s.key_dim,
                   k.dq.data + place.token * k.dq.token_stride + place.head * s.key_dim, k.dq.token_stride, false);
    store_gradient(w.dk, w.keys, l.key_stride, k.in.map, T{1}, T{1}, place.rows, s.key_dim,
                   k.dk.data + place.token * k.dk.token_stride + kv * s.key_dim, k.dk.token_stride, !first_of_group);
    store_gradient(w.dv, w.dv, l.value_stride, FeatureMap::identity, T{1}, T{1}, place.rows, s.value_dim,
                   k.dv.data + place.token * k.dv.token_stride + kv * s.value_dim, k.dv.token_stride, !first_of_group);
}

// What the next chunk reads and writes.
template <class T>
void prefetch_backward(Prefetches& prefetches, const LinearAttentionBackward<T>& k, const ChunkPlace& place) {
    const auto& s = k.in.sizes;
    const std::size_t kv = place.head / (s.heads / s.kv_heads);
    prefetch_past(prefetches, k.in, place);
    prefetch_head(prefetches, k.in.q, place.head, s.key_dim, place);
    prefetch_head(prefetches, k.d_out, place.head, s.value_dim, place);
    if (!k.normalizers.values.empty()) { prefetch_head(prefetches, k.out, place.head, s.value_dim, place); }
    prefetch_head(prefetches, k.dq, place.head, s.key_dim, place);
    prefetch_head(prefetches, k.dk, kv, s.key_dim, place);
    prefetch_head(prefetches, k.dv, kv, s.value_dim, place);
}

template <class T>
void backward_head(const LinearAttentionBackward<T>& k, const LinearBackwardWorkspace<T>& w, std::size_t sequence,
                   std::size_t head) {
    const auto& s = k.in.sizes;
    const auto& l = w.layout;
    const std::size_t chunks = (s.time + l.chunk - 1) / l.chunk;
    if (has_constant_decays(k.in)) { fill_chunk_decays(k, w, ChunkPlace{s, l.chunk, sequence, head, 0}); }
    recompute_states(k, w, sequence, head);
    std::fill_n(w.d_state, ChunkLayout::matrix(w.value_rows, l.key_stride), T{0});
    for (std::size_t chunk = chunks; chunk-- > 0;) {
        const ChunkPlace place{s, l.chunk, sequence, head, chunk * l.chunk};
        const T* state = w.states + chunk * w.state_size;
        pack_backward_chunk(k, w, place);
        Prefetches prefetches;
        if (chunk > 0) {
            prefetch_backward(prefetches, k, ChunkPlace{s, l.chunk, sequence, head, (chunk - 1) * l.chunk});
        }
        score_chunk(w, s, place.rows, prefetches);
        query_gradients(w, state, place.rows, prefetches);
        key_gradients(w, s, place.rows, prefetches);
        if (!k.dg.empty()) { decay_gradients(k, w, place, state + w.state_size); }
        store_gradients(k, w, place, head % (s.heads / s.kv_heads) == 0);
        if (chunk > 0) { retreat_state(w, place.rows); }
    }
}

// Pieces are a key/value head of a sequence, with all query heads that read it.
template <class T>
void backward_piece(const LinearAttentionBackward<T>& k, T* scratch, std::size_t begin, std::size_t end) {
    const auto& s = k.in.sizes;
    Carver<T> carver{scratch};
    const LinearBackwardWorkspace<T> w{carver, s, !k.normalizers.values.empty()};
    std::fill_n(w.scores, ChunkLayout::matrix(w.layout.chunk, w.layout.pair_stride), T{0});
    std::fill_n(w.d_scores, ChunkLayout::matrix(w.layout.chunk, w.layout.pair_stride), T{0});
    const std::size_t group = s.heads / s.kv_heads;
    for (std::size_t piece = begin; piece < end; ++piece) {
        const std::size_t first = piece % s.kv_heads * group;
        for (std::size_t head = first; head < first + group; ++head) { backward_head(k, w, piece / s.kv_heads, head); }
    }
}

ChunkPieces<LinearAttentionBackward> linear_attention_backward() {
    return {backward_piece<float>, backward_piece<double>};
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(linear_attention_backward);

template <class T>
void run(CpuContext& cpu, const LinearAttentionBackward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(linear_attention_backward)();
    const auto& s = k.in.sizes;
    if (s.time == 0) { return; }
    Carver<T> carver{nullptr};
    LinearBackwardWorkspace<T>{carver, s, !k.normalizers.values.empty()};
    cpu.for_each(s.batch * s.kv_heads,
                 [&](std::size_t index) { piece(k, cpu.scratch_of<T>(carver.used()), index, index + 1); });
}

template void run(CpuContext&, const LinearAttentionBackward<float>&);
template void run(CpuContext&, const LinearAttentionBackward<double>&);

}  // namespace loglog
#endif
