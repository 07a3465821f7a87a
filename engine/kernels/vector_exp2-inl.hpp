// A short 2^x for softmax, for use inside HWY_NAMESPACE. Include it after hwy/foreach_target.h.

#if defined(LOGLOG_ENGINE_KERNELS_VECTOR_EXP2_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef LOGLOG_ENGINE_KERNELS_VECTOR_EXP2_INL_HPP
#undef LOGLOG_ENGINE_KERNELS_VECTOR_EXP2_INL_HPP
#else
#define LOGLOG_ENGINE_KERNELS_VECTOR_EXP2_INL_HPP
#endif

#include <hwy/highway.h>

#include <numbers>

#include "engine/kernels/vector_math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

/// 2^x for x <= 0, where softmax spends nearly all its time outside the products. Float: within 3 ulp; 0 for x below
/// -126 or so; NaN stays NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp2_of_negative(D d, V x) {
    if constexpr (!is_float<D>) {
        const V e = vector_exp(d, hn::Mul(x, hn::Set(d, std::numbers::ln2)));
        return hn::IfThenElse(hn::Eq(x, x), e, x);
    } else {
#if HWY_TARGET <= HWY_AVX3
        // x - floor(x), a minimax polynomial on [0, 1) of relative error 7.5e-8, and times 2^floor(x).
        const V f{_mm512_reduce_ps(x.raw, 1)};
        V p = hn::Set(d, 0.0018775766948238015f);
        p = hn::MulAdd(p, f, hn::Set(d, 0.00898933969438076f));
        p = hn::MulAdd(p, f, hn::Set(d, 0.05582631751894951f));
        p = hn::MulAdd(p, f, hn::Set(d, 0.24015361070632935f));
        p = hn::MulAdd(p, f, hn::Set(d, 0.6931530833244324f));
        p = hn::MulAdd(p, f, hn::Set(d, 0.9999999403953552f));
        return V{_mm512_scalef_ps(p.raw, x.raw)};
#else
        // Adding 1.5 * 2^23 rounds to an integer, which then sits in the low bits; the polynomial is for [-1/2, 1/2].
        const hn::RebindToSigned<D> di;
        const V magic = hn::Set(d, 12582912.0f);
        const V shifted = hn::Add(x, magic);
        const V f = hn::Sub(x, hn::Sub(shifted, magic));
        V p = hn::Set(d, 0.0013276472454890609f);
        p = hn::MulAdd(p, f, hn::Set(d, 0.009675540961325169f));
        p = hn::MulAdd(p, f, hn::Set(d, 0.05550713092088699f));
        p = hn::MulAdd(p, f, hn::Set(d, 0.24022120237350464f));
        p = hn::MulAdd(p, f, hn::Set(d, 0.6931469440460205f));
        p = hn::MulAdd(p, f, hn::Set(d, 1.0f));
        const V y = hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::BitCast(di, shifted))));
        return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -126.0f)), y);
#endif
    }
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
