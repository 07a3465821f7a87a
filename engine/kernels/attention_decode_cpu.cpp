#include <algorithm>
#include <numbers>

#include "engine/kernels/attention.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/attention_decode_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_exp2-inl.hpp"
#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

template <class T>
HWY_INLINE T dot(const T* a, const T* b, std::size_t count) {
    const hn::ScalableTag<T> d;
    auto sum = hn::Zero(d);
    for (std::size_t i = 0; i < count; i += hn::Lanes(d)) {
        sum = hn::MulAdd(load_first(d, a + i, count - i), load_first(d, b + i, count - i), sum);
    }
    return lane_sum(d, sum);
}

// Turns scores in base 2 into unnormalised probabilities; returns their sum.
template <class T>
HWY_INLINE T soften(T* scores, std::size_t length) {
    const hn::ScalableTag<T> d;
    const auto largest = hn::Set(d, *std::max_element(scores, scores + length));
    auto sum = hn::Zero(d);
    for (std::size_t j = 0; j < length; j += hn::Lanes(d)) {
        const std::size_t count = std::min(hn::Lanes(d), length - j);
        const auto p = exp2_of_negative(d, hn::Sub(load_first(d, scores + j, count), largest));
        sum = hn::Add(sum, hn::IfThenElseZero(hn::FirstN(d, count), p));
        store_first(p, d, scores + j, count);
    }
    return lane_sum(d, sum);
}

template <class T>
void decode_heads(const AttentionDecode<T>& k, T* scores, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const std::size_t stride = k.kv_heads * k.head_dim;
    for (std::size_t head = begin; head < end; ++head) {
        const std::size_t kv = head / (k.heads / k.kv_heads) * k.head_dim;
        const T* q = k.q.data() + head * k.head_dim;
        for (std::size_t j = 0; j < k.length; ++j) {
            scores[j] = k.scale * std::numbers::log2e_v<T> * dot(q, k.k_cache.data() + j * stride + kv, k.head_dim);
        }
        const auto inverse = hn::Set(d, T{1} / soften(scores, k.length));
        for (std::size_t i = 0; i < k.head_dim; i += hn::Lanes(d)) {
            const std::size_t count = k.head_dim - i;
            auto sum = hn::Zero(d);
            for (std::size_t j = 0; j < k.length; ++j) {
                sum = hn::MulAdd(hn::Set(d, scores[j]), load_first(d, k.v_cache.data() + j * stride + kv + i, count),
                                 sum);
            }
            store_first(hn::Mul(inverse, sum), d, k.out.data() + head * k.head_dim + i, count);
        }
    }
}

ChunkPieces<AttentionDecode> attention_decode() { return {decode_heads<float>, decode_heads<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(attention_decode);

template <class T>
void run(CpuContext& cpu, const AttentionDecode<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(attention_decode)();
    cpu.for_each(k.heads, [&](std::size_t head) { piece(k, cpu.scratch_of<T>(k.length), head, head + 1); });
}

template void run(CpuContext&, const AttentionDecode<float>&);
template void run(CpuContext&, const AttentionDecode<double>&);

}  // namespace loglog
#endif
