#include <algorithm>

#include "engine/kernels/linear_attention.hpp"
#include "engine/kernels/linear_workspace.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/linear_attention_forward_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/linear_features-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

// out = since_start * (queries state) + scores values, with scores = between * (queries keys^T)
template <class T>
void mix_chunk(const LinearForwardWorkspace<T>& w, const LinearAttentionSizes& s, std::size_t rows,
               Prefetches& prefetches) {
    const auto& l = w.layout;
    const ChunkProduct<T> score{.left = w.queries,
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
    ChunkProduct<T> mix{.left = w.queries,
                        .left_stride = l.key_stride,
                        .right = w.state,
                        .right_stride = l.value_stride,
                        .result = w.out,
                        .result_stride = l.value_stride,
                        .rows = rows,
                        .steps = s.key_dim,
                        .columns = l.value_stride,
                        .earlier = w.out,
                        .factor = w.since_start,
                        .prefetches = &prefetches};
    chunk_product<Left::rows, Into::masked, Part::columns_to_row>(score);
    chunk_product<Left::rows, Into::result>(mix);
    mix.left = w.scores;
    mix.left_stride = l.pair_stride;
    mix.right = w.values;
    mix.steps = rows;
    chunk_product<Left::rows, Into::rescaled, Part::steps_to_row>(mix);
}

// The normalizer of a row of the chunk, made positive.
template <class T>
HWY_INLINE T normalizer_of(const LinearAttentionForward<T>& k, const LinearForwardWorkspace<T>& w, std::size_t row) {
    const hn::ScalableTag<T> d;
    const T* scores = w.scores + row * w.layout.pair_stride;
    auto sum = hn::Zero(d);
    for (std::size_t j = 0; j <= row; j += hn::Lanes(d)) { sum = hn::Add(sum, hn::Load(d, scores + j)); }
    const T past = aligned_dot(w.queries + row * w.layout.key_stride, w.key_sum, w.layout.key_stride);
    const T n = w.since_start[row] * past + lane_sum(d, sum);
    const T epsilon = static_cast<T>(k.normalizers.epsilon);
    return k.normalizers.clamp ? std::max(n, epsilon) : n + epsilon;
}

template <class T>
void store_out(const LinearAttentionForward<T>& k, const LinearForwardWorkspace<T>& w, const ChunkPlace& place) {
    const hn::ScalableTag<T> d;
    const auto& s = k.in.sizes;
    T* normalizers = k.normalizers.values.empty()
                         ? nullptr
                         : k.normalizers.values.data() + (place.sequence * s.heads + place.head) * s.time + place.begin;
    for (std::size_t row = 0; row < place.rows; ++row) {
        T inverse = 1;
        if (normalizers != nullptr) {
            normalizers[row] = normalizer_of(k, w, row);
            inverse = T{1} / normalizers[row];
        }
        const auto factor = hn::Set(d, inverse);
        T* out = k.out.data + (place.token + row) * k.out.token_stride + place.head * s.value_dim;
        const T* from = w.out + row * w.layout.value_stride;
        for (std::size_t i = 0; i < s.value_dim; i += hn::Lanes(d)) {
            store_first(hn::Mul(factor, hn::Load(d, from + i)), d, out + i, s.value_dim - i);
        }
    }
}

// state = since_start[last] * state + sum_j between[last, j] key_j value_j^T. Overwrites the keys.
template <class T>
void advance_state(const LinearAttentionForward<T>& k, const LinearForwardWorkspace<T>& w, std::size_t rows) {
    const hn::ScalableTag<T> d;
    const auto& s = k.in.sizes;
    const auto& l = w.layout;
    const T decay = w.since_start[rows - 1];
    scale_chunk_rows(w.keys, l.key_stride, rows, w.between + (rows - 1) * l.pair_stride);
    std::fill_n(w.state_factor, s.key_dim + chunk_spare_rows, decay);
    chunk_product<Left::columns, Into::rescaled>(ChunkProduct<T>{.left = w.keys,
                                                                 .left_stride = l.key_stride,
                                                                 .right = w.values,
                                                                 .right_stride = l.value_stride,
                                                                 .result = w.state,
                                                                 .result_stride = l.value_stride,
                                                                 .rows = s.key_dim,
                                                                 .steps = rows,
                                                                 .columns = l.value_stride,
                                                                 .earlier = w.state,
                                                                 .factor = w.state_factor});
    if (k.normalizers.values.empty()) { return; }
    for (std::size_t i = 0; i < l.key_stride; i += hn::Lanes(d)) {
        auto sum = hn::Mul(hn::Set(d, decay), hn::Load(d, w.key_sum + i));
        for (std::size_t j = 0; j < rows; ++j) { sum = hn::Add(sum, hn::Load(d, w.keys + j * l.key_stride + i)); }
        hn::Store(sum, d, w.key_sum + i);
    }
}

template <class T>
void forward_head(const LinearAttentionForward<T>& k, T* scratch, std::size_t sequence, std::size_t head) {
    const auto& s = k.in.sizes;
    Carver<T> carver{scratch};
    const LinearForwardWorkspace<T> w{carver, s};
    const auto& l = w.layout;
    std::fill_n(w.state, ChunkLayout::matrix(s.key_dim, l.value_stride), T{0});
    std::fill_n(w.key_sum, l.key_stride, T{0});
    std::fill_n(w.scores, ChunkLayout::matrix(l.chunk, l.pair_stride), T{0});
    const bool constant = has_constant_decays(k.in);
    for (std::size_t begin = 0; begin < s.time; begin += l.chunk) {
        const ChunkPlace place{s, l.chunk, sequence, head, begin};
        if (begin == 0 || !constant) {
            fill_chunk_factors(k.in, place, w.factors);
            fill_decays(w.factors, place.rows, l.pair_stride, w.between, w.since_start);
        }
        pack_queries(k.in, place, w.queries, l.key_stride);
        pack_keys(k.in, place, w.keys, l.key_stride);
        transpose_chunk(w.keys, l.key_stride, place.rows, s.key_dim, w.keys_across, l.pair_stride);
        pack_values(k.in, place, w.values, l.value_stride);
        Prefetches prefetches;
        if (begin + place.rows < s.time) {
            const ChunkPlace next{s, l.chunk, sequence, head, begin + place.rows};
            prefetch_past(prefetches, k.in, next);
            prefetch_head(prefetches, k.in.q, head, s.key_dim, next);
            prefetch_head(prefetches, k.out, head, s.value_dim, next);
        }
        mix_chunk(w, s, place.rows, prefetches);
        store_out(k, w, place);
        if (begin + place.rows < s.time) { advance_state(k, w, place.rows); }
    }
}

template <class T>
void forward_piece(const LinearAttentionForward<T>& k, T* scratch, std::size_t begin, std::size_t end) {
    for (std::size_t piece = begin; piece < end; ++piece) {
        forward_head(k, scratch, piece / k.in.sizes.heads, piece % k.in.sizes.heads);
    }
}

ChunkPieces<LinearAttentionForward> linear_attention_forward() { return {forward_piece<float>, forward_piece<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(linear_attention_forward);

template <class T>
void run(CpuContext& cpu, const LinearAttentionForward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(linear_attention_forward)();
    const auto& s = k.in.sizes;
    Carver<T> carver{nullptr};
    LinearForwardWorkspace<T>{carver, s};
    cpu.for_each(s.batch * s.heads,
                 [&](std::size_t index) { piece(k, cpu.scratch_of<T>(carver.used()), index, index + 1); });
}

template void run(CpuContext&, const LinearAttentionForward<float>&);
template void run(CpuContext&, const LinearAttentionForward<double>&);

}  // namespace loglog
#endif
