// What the linear attention kernels do the same way in both directions, for use inside HWY_NAMESPACE. Include it after
// hwy/foreach_target.h.

#if defined(LOGLOG_ENGINE_KERNELS_LINEAR_FEATURES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef LOGLOG_ENGINE_KERNELS_LINEAR_FEATURES_INL_HPP
#undef LOGLOG_ENGINE_KERNELS_LINEAR_FEATURES_INL_HPP
#else
#define LOGLOG_ENGINE_KERNELS_LINEAR_FEATURES_INL_HPP
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <numbers>

#include "engine/kernels/linear_attention.hpp"
#include "engine/kernels/linear_chunks-inl.hpp"
#include "engine/kernels/vector_exp2-inl.hpp"
#include "engine/kernels/vector_math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

/// x + 1 above 0 and e^x from there down. Float: within 4 + |x| / 2 ulp below 0. NaN stays NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V elu_plus_one(D d, V x) {
    using T = hn::TFromD<D>;
    const V zero = hn::Zero(d);
    const V negative = hn::IfThenZeroElse(hn::Gt(x, zero), x);
    V low;
    if constexpr (is_float<D>) {
        low = exp2_of_negative(d, hn::Mul(negative, hn::Set(d, std::numbers::log2e_v<T>)));
    } else {
        low = hn::IfThenElse(hn::Eq(x, x), vector_exp(d, negative), x);
    }
    return hn::IfThenElse(hn::Gt(x, zero), hn::Add(x, hn::Set(d, T{1})), low);
}

/// Calls `body(feature)` with the map from x to scale * phi(x), itself called as feature(d, x).
template <class T, class Body>
HWY_INLINE void with_feature(FeatureMap map, T scale, const Body& body) {
    switch (map) {
        case FeatureMap::identity:
            body([scale](auto d, auto x) HWY_ATTR { return hn::Mul(hn::Set(d, scale), x); });
            break;
        case FeatureMap::elu_plus_one:
            body([scale](auto d, auto x) HWY_ATTR { return hn::Mul(hn::Set(d, scale), elu_plus_one(d, x)); });
            break;
        case FeatureMap::relu:
            body([scale](auto d, auto x)
                     HWY_ATTR { return hn::Mul(hn::Set(d, scale), hn::IfThenZeroElse(hn::Le(x, hn::Zero(d)), x)); });
            break;
    }
}

/// phi'(x) from f = phi(x). elu + 1 is above 1 where x is above 0; below, it is its own derivative.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V feature_slope(D d, FeatureMap map, V f) {
    const V one = hn::Set(d, hn::TFromD<D>{1});
    switch (map) {
        case FeatureMap::elu_plus_one:
            return hn::Min(f, one);
        case FeatureMap::relu:
            return hn::IfThenElseZero(hn::Gt(f, hn::Zero(d)), one);
        default:
            return one;
    }
}

/// A chunk of one query head: where its tokens are.
struct ChunkPlace {
    std::size_t sequence;
    std::size_t head;
    std::size_t begin;  // in its sequence
    std::size_t rows;   // tokens
    std::size_t token;  // row of the first in the views

    ChunkPlace(const LinearAttentionSizes& s, std::size_t chunk, std::size_t sequence_, std::size_t head_,
               std::size_t begin_)
        : sequence{sequence_},
          head{head_},
          begin{begin_},
          rows{std::min(chunk, s.time - begin_)},
          token{sequence_ * s.time + begin_} {}
};

/// Whether all of a head's chunks have the same decays.
template <class T>
bool has_constant_decays(const LinearAttentionInputs<T>& in) {
    return in.document_start.empty() && (in.g.values == nullptr || in.g.token_stride == 0);
}

template <class T>
void fill_chunk_factors(const LinearAttentionInputs<T>& in, const ChunkPlace& place, T* factors) {
    const T* g = in.g.values == nullptr ? nullptr : in.g.values + place.token * in.g.token_stride + place.head;
    const std::int32_t* start = in.document_start.empty() ? nullptr : in.document_start.data() + place.token;
    fill_factors(g, in.g.token_stride, start, place.begin, place.rows, factors);
}

/// Adds a chunk's part of a view, of heads of `width`.
template <class T>
void prefetch_head(Prefetches& prefetches, HeadsView<T> view, std::size_t head, std::size_t width,
                   const ChunkPlace& place) {
    prefetches.add(view.data + place.token * view.token_stride + head * width, view.token_stride, place.rows, width);
}

template <class T>
void prefetch_past(Prefetches& prefetches, const LinearAttentionInputs<T>& in, const ChunkPlace& place) {
    const std::size_t kv = place.head / (in.sizes.heads / in.sizes.kv_heads);
    prefetch_head(prefetches, in.k, kv, in.sizes.key_dim, place);
    prefetch_head(prefetches, in.v, kv, in.sizes.value_dim, place);
}

template <class T>
void pack_queries(const LinearAttentionInputs<T>& in, const ChunkPlace& place, T* to, std::size_t stride) {
    const T* from = in.q.data + place.token * in.q.token_stride + place.head * in.sizes.key_dim;
    with_feature(in.map, static_cast<T>(in.scale), [&](auto feature) HWY_ATTR {
        pack_chunk(from, in.q.token_stride, place.rows, in.sizes.key_dim, to, stride, feature);
    });
}

template <class T>
void pack_keys(const LinearAttentionInputs<T>& in, const ChunkPlace& place, T* to, std::size_t stride) {
    const auto& s = in.sizes;
    const std::size_t kv = place.head / (s.heads / s.kv_heads);
    const T* from = in.k.data + place.token * in.k.token_stride + kv * s.key_dim;
    with_feature(in.map, T{1}, [&](auto feature) HWY_ATTR {
        pack_chunk(from, in.k.token_stride, place.rows, s.key_dim, to, stride, feature);
    });
}

template <class T>
void pack_values(const LinearAttentionInputs<T>& in, const ChunkPlace& place, T* to, std::size_t stride) {
    const auto& s = in.sizes;
    const std::size_t kv = place.head / (s.heads / s.kv_heads);
    const T* from = in.v.data + place.token * in.v.token_stride + kv * s.value_dim;
    pack_chunk(from, in.v.token_stride, place.rows, s.value_dim, to, stride, [](auto, auto x) HWY_ATTR { return x; });
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
