#include "engine/measure/trial_loops.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/measure/trial_loops.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

double fma_rounds(std::size_t steps, float& sink) {
    const hn::ScalableTag<float> d;
    using V = hn::Vec<decltype(d)>;
    constexpr std::size_t chains = 12;  // more than latency x ports of any current core, few enough for 16 registers
    V sum[chains];
#pragma GCC unroll 12
    for (std::size_t i = 0; i < chains; ++i) { sum[i] = hn::Set(d, static_cast<float>(i)); }
    const V factor = hn::Set(d, 0.5f);
    const V term = hn::Set(d, 1.0f);
#pragma GCC unroll 2
    for (std::size_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
        for (std::size_t i = 0; i < chains; ++i) { sum[i] = hn::MulAdd(sum[i], factor, term); }
    }
    V total = sum[0];
#pragma GCC unroll 12
    for (std::size_t i = 1; i < chains; ++i) { total = hn::Add(total, sum[i]); }
    sink = hn::GetLane(total);
    return 2.0 * static_cast<double>(steps) * chains * static_cast<double>(hn::Lanes(d));
}

void triad(float* HWY_RESTRICT a, const float* HWY_RESTRICT b, const float* HWY_RESTRICT c, float scale,
           std::size_t count) {
    const hn::ScalableTag<float> d;
    const std::size_t lanes = hn::Lanes(d);
    const auto factor = hn::Set(d, scale);
    std::size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
        hn::StoreU(hn::MulAdd(factor, hn::LoadU(d, c + i), hn::LoadU(d, b + i)), d, a + i);
    }
    for (; i < count; ++i) { a[i] = b[i] + scale * c[i]; }
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(fma_rounds);
HWY_EXPORT(triad);

namespace detail {

double fma_rounds(std::size_t steps, float& sink) { return HWY_DYNAMIC_DISPATCH(loglog::fma_rounds)(steps, sink); }

void triad(float* a, const float* b, const float* c, float scale, std::size_t count) {
    HWY_DYNAMIC_DISPATCH(loglog::triad)(a, b, c, scale, count);
}

}  // namespace detail
}  // namespace loglog
#endif
