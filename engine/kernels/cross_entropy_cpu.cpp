#include "engine/kernels/cross_entropy.hpp"

#include <cmath>
#include <numbers>

#include "engine/base/error.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cross_entropy_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_exp2-inl.hpp"
#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

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

// Sum of exp(scale * (logit - largest)); each of them replaces its logit if `keep`. A logit that is not a number, or
// infinite, makes the sum not a number.
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

template <class T>
HWY_INLINE void scale_row(T* x, std::size_t width, T scale) {
    const hn::ScalableTag<T> d;
    const auto factor = hn::Set(d, scale);
    for (std::size_t i = 0; i < width; i += hn::Lanes(d)) {
        store_first(hn::Mul(factor, load_first(d, x + i, width - i)), d, x + i, width - i);
    }
}

template <class T>
void cross_entropy_rows(const CrossEntropy<T>& k, std::size_t begin, std::size_t end) {
    for (std::size_t row = begin; row < end; ++row) {
        T* logits = k.logits.data() + row * k.vocab;
        if (k.targets[row] == -1) {
            k.loss[row] = 0;
            k.log_z[row] = 0;
            for (std::size_t v = 0; v < k.vocab; ++v) { logits[v] = 0; }
            continue;
        }
        const auto target = static_cast<std::size_t>(k.targets[row]);
        LOGLOG_ASSERT(target < k.vocab);
        const bool training = k.gradient_scale != 0;
        const T target_logit = k.logit_scale * logits[target];
        const T largest = largest_of(logits, k.vocab);
        const T sum = training ? sum_exponentials<true>(logits, k.vocab, k.logit_scale, largest)
                               : sum_exponentials<false>(logits, k.vocab, k.logit_scale, largest);
        const T log_z = k.logit_scale * largest + std::log(sum);
        k.log_z[row] = log_z;
        k.loss[row] = log_z - target_logit;
        if (training) {
            const T scale = k.gradient_scale * k.logit_scale;
            scale_row(logits, k.vocab, scale * (T{1} + 2 * k.z_loss * log_z) / sum);
            logits[target] -= scale;
        }
    }
}

Pieces<CrossEntropy> cross_entropy() { return {cross_entropy_rows<float>, cross_entropy_rows<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(cross_entropy);

template <class T>
Cost cost(const CrossEntropy<T>& k) {
    const double n = static_cast<double>(k.logits.size());
    const double rows = static_cast<double>(k.targets.size());
    const bool training = k.gradient_scale != 0;
    // Largest 1, exponential and sum 5, gradient 1 per logit; logarithm, loss and the target's gradient per row.
    return {.model_flops = 0,
            .hardware_flops = (training ? 7 : 6) * n + (training ? 8 : 3) * rows,
            .bytes_read = sizeof(T) * n + sizeof(std::int32_t) * rows,
            .bytes_written = sizeof(T) * ((training ? n : 0) + 2 * rows)};
}

template <class T>
void run(CpuContext& cpu, const CrossEntropy<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(cross_entropy)();
    cpu.for_each_range(k.targets.size(), rows_per_piece(k.vocab),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template Cost cost(const CrossEntropy<float>&);
template Cost cost(const CrossEntropy<double>&);
template void run(CpuContext&, const CrossEntropy<float>&);
template void run(CpuContext&, const CrossEntropy<double>&);

}  // namespace loglog
#endif
