// What happens to a tile between its sums and memory. For use inside HWY_NAMESPACE.

#if defined(LOGLOG_ENGINE_KERNELS_GEMM_EPILOGUE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef LOGLOG_ENGINE_KERNELS_GEMM_EPILOGUE_INL_HPP
#undef LOGLOG_ENGINE_KERNELS_GEMM_EPILOGUE_INL_HPP
#else
#define LOGLOG_ENGINE_KERNELS_GEMM_EPILOGUE_INL_HPP
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>

#include "engine/kernels/gemm.hpp"
#include "engine/kernels/vector_math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class D, class V = hn::Vec<D>>
HWY_INLINE V activated(D d, Activation activation, V x) {
    switch (activation) {
        case Activation::none:
            return x;
        case Activation::gelu:
            return gelu_value(d, x);
        case Activation::gelu_erf:
            return gelu_erf_value(d, x);
        case Activation::relu:
            return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);
    }
    return x;
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V activation_slope(D d, Activation activation, V x) {
    const V one = hn::Set(d, hn::TFromD<D>{1});
    switch (activation) {
        case Activation::none:
            return one;
        case Activation::gelu:
            return gelu_derivative(d, x);
        case Activation::gelu_erf:
            return gelu_erf_derivative(d, x);
        case Activation::relu:
            return hn::IfThenElseZero(hn::Gt(x, hn::Zero(d)), one);
    }
    return one;
}

/// All of a vector's lanes, or the first few at the right edge.
template <class D>
struct WholeLanes {
    using V = hn::Vec<D>;
    D d;
    template <class T>
    HWY_INLINE V load(const T* from) const {
        return hn::LoadU(d, from);
    }
    template <class T>
    HWY_INLINE void store(V v, T* to) const {
        hn::StoreU(v, d, to);
    }
};

template <class D>
struct FirstLanes {
    using V = hn::Vec<D>;
    D d;
    hn::Mask<D> mask;
    template <class T>
    HWY_INLINE V load(const T* from) const {
        return hn::MaskedLoad(mask, d, from);
    }
    template <class T>
    HWY_INLINE void store(V v, T* to) const {
        hn::BlendedStore(v, mask, d, to);
    }
};

/// The part of the output that is finished at once.
struct Region {
    std::size_t row;
    std::size_t column;
    std::size_t rows;
    std::size_t columns;
};

/// One vector of the output, at (row, column), from its sum over k.
template <class Lanes, class D, class T, class V = hn::Vec<D>>
HWY_INLINE void finish_vector(D d, const Lanes& lanes, const Gemm<T>& gemm, std::size_t row, std::size_t column,
                              V sum) {
    T* c = gemm.c.data + row * gemm.c.stride + column;
    const V alpha = hn::Set(d, gemm.alpha);
    V v = gemm.accumulate == Accumulate::yes ? hn::MulAdd(sum, alpha, lanes.load(c)) : hn::Mul(sum, alpha);
    if (gemm.bias != nullptr) { v = hn::Add(v, lanes.load(gemm.bias + column)); }
    if (gemm.pre_activation) { lanes.store(v, gemm.pre_activation.data + row * gemm.pre_activation.stride + column); }
    v = activated(d, gemm.activation, v);
    if (gemm.gate) {
        const V gate = lanes.load(gemm.gate.data + row * gemm.gate.stride + column);
        v = hn::Mul(v, activation_slope(d, gemm.gate_activation, gate));
    }
    if (gemm.residual) {
        const V residual = lanes.load(gemm.residual.data + row * gemm.residual.stride + column);
        v = hn::MulAdd(hn::Set(d, gemm.residual_scale), v, residual);
    }
    lanes.store(v, c);
}

/// Applies the whole epilogue to sums[i * stride + j] and stores the region.
template <class T>
HWY_NOINLINE void finish_region(const Gemm<T>& gemm, const Region& region, const T* sums, std::size_t stride) {
    const hn::ScalableTag<T> d;
    using D = decltype(d);
    constexpr std::size_t lanes = hn::MaxLanes(d);
    const WholeLanes<D> whole{d};
    for (std::size_t i = 0; i < region.rows; ++i) {
        std::size_t j = 0;
        for (; j + lanes <= region.columns; j += lanes) {
            finish_vector(d, whole, gemm, region.row + i, region.column + j, hn::LoadU(d, sums + i * stride + j));
        }
        if (j < region.columns) {
            const FirstLanes<D> first{d, hn::FirstN(d, region.columns - j)};
            finish_vector(d, first, gemm, region.row + i, region.column + j, hn::LoadU(d, sums + i * stride + j));
        }
    }
}

/// Starts fetching one region of a matrix; `access` is 0 to read it, 1 to write it.
template <int access, class View>
HWY_INLINE void prefetch_rows(const View& view, const Region& region) {
    constexpr std::size_t line = 64 / sizeof(*view.data);
    const auto* row = view.data + region.row * view.stride + region.column;
    for (std::size_t i = 0; i < region.rows; ++i, row += view.stride) {
        __builtin_prefetch(row, access);
        for (std::size_t j = line; j < region.columns; j += line) { __builtin_prefetch(row + j, access); }
    }
}

/// Starts fetching all that finishing a region reads and writes, so that it arrives during the multiplication.
template <class T>
HWY_INLINE void prefetch_region(const Gemm<T>& gemm, const Region& region) {
    prefetch_rows<1>(gemm.c, region);
    if (gemm.gate) { prefetch_rows<0>(gemm.gate, region); }
    if (gemm.residual) { prefetch_rows<0>(gemm.residual, region); }
    if (gemm.pre_activation) { prefetch_rows<1>(gemm.pre_activation, region); }
}

/// Whether the output is alpha * sum (+ c) and nothing else.
template <class T>
bool is_plain(const Gemm<T>& gemm) {
    return gemm.bias == nullptr && !gemm.pre_activation && gemm.activation == Activation::none && !gemm.gate &&
           !gemm.residual;
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
