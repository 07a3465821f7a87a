// The softplus function for use inside HWY_NAMESPACE. Include it after hwy/foreach_target.h.

#if defined(LOGLOG_ENGINE_KERNELS_VECTOR_SOFTPLUS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef LOGLOG_ENGINE_KERNELS_VECTOR_SOFTPLUS_INL_HPP
#undef LOGLOG_ENGINE_KERNELS_VECTOR_SOFTPLUS_INL_HPP
#else
#define LOGLOG_ENGINE_KERNELS_VECTOR_SOFTPLUS_INL_HPP
#endif

#include <hwy/highway.h>

#include "engine/kernels/vector_math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

/// log(1 + e^x) as max(x, 0) + log1p(e^-|x|): no exponential of a positive number, and small results keep their
/// relative accuracy.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V vector_softplus(D d, V x) {
    const V small = vector_exp(d, hn::Neg(hn::Abs(x)));
    // Written so that a NaN is kept.
    const V positive = hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);
    return hn::Add(positive, hn::Log1p(d, small));
}

/// s (1 - s) with s = 1 / (1 + e^-x), as e^-|x| / (1 + e^-|x|)^2: 1 - s would cancel.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V vector_sigmoid_slope(D d, V x) {
    const V small = vector_exp(d, hn::Neg(hn::Abs(x)));
    const V sum = hn::Add(hn::Set(d, hn::TFromD<D>{1}), small);
    return hn::Div(small, hn::Mul(sum, sum));
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
