// Vector exp, tanh, erf and the GELU functions for use inside HWY_NAMESPACE. Include it after hwy/foreach_target.h in a
// file that is compiled once per instruction set; link loglog::simd, which fixes the set of them for the whole program.

#if defined(LOGLOG_ENGINE_KERNELS_VECTOR_MATH_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef LOGLOG_ENGINE_KERNELS_VECTOR_MATH_INL_HPP
#undef LOGLOG_ENGINE_KERNELS_VECTOR_MATH_INL_HPP
#else
#define LOGLOG_ENGINE_KERNELS_VECTOR_MATH_INL_HPP
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class D>
inline constexpr bool is_float = sizeof(hn::TFromD<D>) == sizeof(float);

/// e^x. Float: within 2 ulp; 0 below -87.3 (no subnormal results), +inf above 88.72283; NaN stays NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V vector_exp(D d, V x) {
    if constexpr (!is_float<D>) {
        // Highway's has no upper bound.
        return hn::IfThenElse(hn::Le(x, hn::Set(d, 709.78)), hn::Exp(d, x), hn::Add(x, hn::Inf(d)));
    } else {
        // x = n ln 2 + r with |r| <= ln 2 / 2. Adding 1.5 * 2^23 rounds to an integer, which then sits in the low bits.
        const hn::RebindToSigned<D> di;
        const V magic = hn::Set(d, 12582912.0f);
        const V shifted = hn::MulAdd(x, hn::Set(d, 1.44269504088896341f), magic);
        const V n = hn::Sub(shifted, magic);
        V r = hn::NegMulAdd(n, hn::Set(d, 0.693145751953125f), x);
        r = hn::NegMulAdd(n, hn::Set(d, 1.42860682030941723212e-6f), r);
        // Minimax polynomial of Cephes' expf.
        V p = hn::Set(d, 1.9875691500e-4f);
        p = hn::MulAdd(p, r, hn::Set(d, 1.3981999507e-3f));
        p = hn::MulAdd(p, r, hn::Set(d, 8.3334519073e-3f));
        p = hn::MulAdd(p, r, hn::Set(d, 4.1665795894e-2f));
        p = hn::MulAdd(p, r, hn::Set(d, 1.6666665459e-1f));
        p = hn::MulAdd(p, r, hn::Set(d, 5.0000001201e-1f));
        p = hn::Add(hn::MulAdd(p, hn::Mul(r, r), r), hn::Set(d, 1.0f));
        // Within the bounds below, adding n to the exponent's bits cannot leave the normal range.
        const V y = hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::BitCast(di, shifted))));
        const V not_small = hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87.3f)), y);
        return hn::IfThenElse(hn::Le(x, hn::Set(d, 88.72283f)), not_small, hn::Add(x, hn::Inf(d)));
    }
}

/// x limited to [-limit, limit]; a NaN comes through.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V limit_to(D d, V x, hn::TFromD<D> limit) {
    const V upper = hn::Set(d, limit);
    const V lower = hn::Set(d, -limit);
    const V below = hn::IfThenElse(hn::Gt(x, upper), upper, x);
    return hn::IfThenElse(hn::Lt(below, lower), lower, below);
}

/// 1 / (1 + e^-x)
template <class D, class V = hn::Vec<D>>
HWY_INLINE V vector_sigmoid(D d, V x) {
    const V one = hn::Set(d, hn::TFromD<D>{1});
    return hn::Div(one, hn::Add(one, vector_exp(d, hn::Neg(x))));
}

/// tanh x. Float: within 6 ulp (the rational approximation of Eigen's packet math).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V vector_tanh(D d, V x) {
    if constexpr (!is_float<D>) {
        return hn::Tanh(d, x);
    } else {
        const V z = limit_to(d, x, 7.90531110763549805f);
        const V z2 = hn::Mul(z, z);
        V p = hn::Set(d, -2.76076847742355e-16f);
        p = hn::MulAdd(p, z2, hn::Set(d, 2.00018790482477e-13f));
        p = hn::MulAdd(p, z2, hn::Set(d, -8.60467152213735e-11f));
        p = hn::MulAdd(p, z2, hn::Set(d, 5.12229709037114e-08f));
        p = hn::MulAdd(p, z2, hn::Set(d, 1.48572235717979e-05f));
        p = hn::MulAdd(p, z2, hn::Set(d, 6.37261928875436e-04f));
        p = hn::MulAdd(p, z2, hn::Set(d, 4.89352455891786e-03f));
        V q = hn::Set(d, 1.19825839466702e-06f);
        q = hn::MulAdd(q, z2, hn::Set(d, 1.18534705686654e-04f));
        q = hn::MulAdd(q, z2, hn::Set(d, 2.26843463243900e-03f));
        q = hn::MulAdd(q, z2, hn::Set(d, 4.89352518554385e-03f));
        return hn::Div(hn::Mul(z, p), q);
    }
}

/// erf x. Float: absolute error below 5e-7 (the rational approximation of Eigen's packet math).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V vector_erf(D d, V x) {
    using T = hn::TFromD<D>;
    if constexpr (!is_float<D>) {
        HWY_ALIGN T lanes[hn::MaxLanes(d)];
        hn::Store(x, d, lanes);
        for (T& lane : lanes) { lane = std::erf(lane); }
        return hn::Load(d, lanes);
    } else {
        const V z = limit_to(d, x, 4.0f);
        const V z2 = hn::Mul(z, z);
        V p = hn::Set(d, -2.72614225801306e-10f);
        p = hn::MulAdd(p, z2, hn::Set(d, 2.77068142495902e-08f));
        p = hn::MulAdd(p, z2, hn::Set(d, -2.10102402082508e-06f));
        p = hn::MulAdd(p, z2, hn::Set(d, -5.69250639462346e-05f));
        p = hn::MulAdd(p, z2, hn::Set(d, -7.34990630326855e-04f));
        p = hn::MulAdd(p, z2, hn::Set(d, -2.95459980854025e-03f));
        p = hn::MulAdd(p, z2, hn::Set(d, -1.60960333262415e-02f));
        V q = hn::Set(d, -1.45660718464996e-05f);
        q = hn::MulAdd(q, z2, hn::Set(d, -2.13374055278905e-04f));
        q = hn::MulAdd(q, z2, hn::Set(d, -1.68282697438203e-03f));
        q = hn::MulAdd(q, z2, hn::Set(d, -7.37332916720468e-03f));
        q = hn::MulAdd(q, z2, hn::Set(d, -1.42647390514189e-02f));
        return hn::Div(hn::Mul(z, p), q);
    }
}

/// GELU in its tanh form, 0.5 x (1 + tanh u) with u = sqrt(2/pi) (x + 0.044715 x^3), computed as x / (1 + e^(-2u)),
/// which keeps its relative accuracy for negative x.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V gelu_value(D d, V x) {
    using T = hn::TFromD<D>;
    const V x2 = hn::Mul(x, x);
    const V slope =
        hn::MulAdd(hn::Set(d, T(-2 * 0.7978845608028654 * 0.044715)), x2, hn::Set(d, T(-2 * 0.7978845608028654)));
    return hn::Div(x, hn::Add(hn::Set(d, T{1}), vector_exp(d, hn::Mul(slope, x))));
}

/// Derivative of gelu_value: s + x s (1 - s) 2u' with s = 1 / (1 + e^(-2u)).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V gelu_derivative(D d, V x) {
    using T = hn::TFromD<D>;
    const V x2 = hn::Mul(x, x);
    const V slope =
        hn::MulAdd(hn::Set(d, T(2 * 0.7978845608028654 * 0.044715)), x2, hn::Set(d, T(2 * 0.7978845608028654)));
    const V u_prime =
        hn::MulAdd(hn::Set(d, T(6 * 0.7978845608028654 * 0.044715)), x2, hn::Set(d, T(2 * 0.7978845608028654)));
    const V s = vector_sigmoid(d, hn::Mul(slope, x));
    return hn::MulAdd(hn::Mul(x, u_prime), hn::NegMulAdd(s, s, s), s);
}

/// Exact GELU, 0.5 x (1 + erf(x / sqrt 2)).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V gelu_erf_value(D d, V x) {
    using T = hn::TFromD<D>;
    const V half = hn::Mul(hn::Set(d, T(0.5)), x);
    return hn::MulAdd(half, vector_erf(d, hn::Mul(x, hn::Set(d, T(0.7071067811865475244)))), half);
}

/// Derivative of gelu_erf_value: 0.5 (1 + erf(x / sqrt 2)) + x e^(-x^2/2) / sqrt(2 pi).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V gelu_erf_derivative(D d, V x) {
    using T = hn::TFromD<D>;
    const V half = hn::Set(d, T(0.5));
    const V cdf = hn::MulAdd(half, vector_erf(d, hn::Mul(x, hn::Set(d, T(0.7071067811865475244)))), half);
    const V density =
        hn::Mul(vector_exp(d, hn::Mul(hn::Mul(x, x), hn::Set(d, T(-0.5)))), hn::Set(d, T(0.3989422804014327)));
    return hn::MulAdd(x, density, cdf);
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
