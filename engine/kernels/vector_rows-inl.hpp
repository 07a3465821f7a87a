// Loads, stores and sums over rows of any length, for use inside HWY_NAMESPACE. Include it after hwy/foreach_target.h.

#if defined(LOGLOG_ENGINE_KERNELS_VECTOR_ROWS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef LOGLOG_ENGINE_KERNELS_VECTOR_ROWS_INL_HPP
#undef LOGLOG_ENGINE_KERNELS_VECTOR_ROWS_INL_HPP
#else
#define LOGLOG_ENGINE_KERNELS_VECTOR_ROWS_INL_HPP
#endif

#include <hwy/highway.h>

#include <cstddef>

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// The `count` values at p, or as many as a vector has; zeros beyond them.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_first(D d, const T* p, std::size_t count) {
    if (HWY_LIKELY(count >= hn::Lanes(d))) { return hn::LoadU(d, p); }
    return hn::MaskedLoad(hn::FirstN(d, count), d, p);
}

/// Writes the first `count` values of v, or all of them.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_first(hn::Vec<D> v, D d, T* p, std::size_t count) {
    if (HWY_LIKELY(count >= hn::Lanes(d))) {
        hn::StoreU(v, d, p);
    } else {
        hn::BlendedStore(v, hn::FirstN(d, count), d, p);
    }
}

/// The sum of the lanes, as a number.
template <class D>
HWY_INLINE hn::TFromD<D> lane_sum(D d, hn::Vec<D> v) {
    return hn::GetLane(hn::SumOfLanes(d, v));
}

/// to[i] += from[i]
template <class T>
HWY_INLINE void add_row(const T* HWY_RESTRICT from, T* HWY_RESTRICT to, std::size_t width) {
    const hn::ScalableTag<T> d;
    for (std::size_t i = 0; i < width; i += hn::Lanes(d)) {
        const std::size_t count = width - i;
        store_first(hn::Add(load_first(d, to + i, count), load_first(d, from + i, count)), d, to + i, count);
    }
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
