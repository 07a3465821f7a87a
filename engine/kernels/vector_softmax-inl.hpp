// The passes of a softmax over one row of logits, for use inside HWY_NAMESPACE. Include it after hwy/foreach_target.h.

#if defined(LOGLOG_ENGINE_KERNELS_VECTOR_SOFTMAX_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef LOGLOG_ENGINE_KERNELS_VECTOR_SOFTMAX_INL_HPP
#undef LOGLOG_ENGINE_KERNELS_VECTOR_SOFTMAX_INL_HPP
#else
#define LOGLOG_ENGINE_KERNELS_VECTOR_SOFTMAX_INL_HPP
#endif

#include <hwy/highway.h>

#include <cmath>
#include <cstddef>
#include <numbers>

#include "engine/kernels/vector_exp2-inl.hpp"
#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

/// The largest of `vocab` > 0 logits.
template <class T>
HWY_INLINE T largest_of(const T* logits, std::size_t vocab) {
    const hn::ScalableTag<T> d;
    const std::size_t lanes = hn::Lanes(d);
    auto largest0 = hn::Set(d, logits[0]);
    auto largest1 = largest0;
    std::size_t i = 0;
    for (; i + 2 * lanes <= vocab; i += 2 * lanes) {
        largest0 = hn::Max(largest0, hn::LoadU(d, logits + i));
        largest1 = hn::Max(largest1, hn::LoadU(d, logits + i + lanes));
    }
    T largest = hn::GetLane(hn::MaxOfLanes(d, hn::Max(largest0, largest1)));
    for (; i < vocab; ++i) { largest = std::fmax(largest, logits[i]); }
    return largest;
}

/// Sum of exp(scale * (logit - largest)); each of them replaces its logit if `keep`. A logit that is not a number, or
/// infinite, makes the sum not a number.
template <bool keep, class T>
HWY_INLINE T sum_exponentials(T* logits, std::size_t vocab, T scale, T largest) {
    const hn::ScalableTag<T> d;
    const std::size_t lanes = hn::Lanes(d);
    const auto factor = hn::Set(d, scale * std::numbers::log2e_v<T>);
    const auto center = hn::Set(d, largest);
    auto sum0 = hn::Zero(d);
    auto sum1 = hn::Zero(d);
    std::size_t i = 0;
    for (; i + 2 * lanes <= vocab; i += 2 * lanes) {
        const auto e0 = exp2_of_negative(d, hn::Mul(factor, hn::Sub(hn::LoadU(d, logits + i), center)));
        const auto e1 = exp2_of_negative(d, hn::Mul(factor, hn::Sub(hn::LoadU(d, logits + i + lanes), center)));
        sum0 = hn::Add(sum0, e0);
        sum1 = hn::Add(sum1, e1);
        if constexpr (keep) {
            hn::StoreU(e0, d, logits + i);
            hn::StoreU(e1, d, logits + i + lanes);
        }
    }
    for (; i < vocab; i += lanes) {
        const auto exponent = hn::Mul(factor, hn::Sub(load_first(d, logits + i, vocab - i), center));
        const auto mask = hn::FirstN(d, vocab - i < lanes ? vocab - i : lanes);
        const auto e = hn::IfThenElseZero(mask, exp2_of_negative(d, exponent));
        sum0 = hn::Add(sum0, e);
        if constexpr (keep) { store_first(e, d, logits + i, vocab - i); }
    }
    return lane_sum(d, hn::Add(sum0, sum1));
}

/// x *= scale
template <class T>
HWY_INLINE void scale_row(T* x, std::size_t width, T scale) {
    const hn::ScalableTag<T> d;
    const auto factor = hn::Set(d, scale);
    for (std::size_t i = 0; i < width; i += hn::Lanes(d)) {
        store_first(hn::Mul(factor, load_first(d, x + i, width - i)), d, x + i, width - i);
    }
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
