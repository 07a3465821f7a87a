#include <cmath>

#include "engine/kernels/delta_attention.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/delta_attention_step_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {
namespace delta {

template <class T>
T inverse_norm(const T* x, std::size_t width) {
    T sum = 0;
    for (std::size_t i = 0; i < width; ++i) { sum += x[i] * x[i]; }
    return T{1} / std::sqrt(sum + static_cast<T>(delta_norm_epsilon));
}

// A vector of the values' channels at a time: they do not depend on one another.
template <class T>
void step_heads(const DeltaAttentionStep<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    for (std::size_t head = begin; head < end; ++head) {
        const std::size_t kv = head / (k.heads / k.kv_heads);
        const T* query = k.q + head * k.key_dim;
        const T* key = k.k + kv * k.key_dim;
        const T decay = k.g.empty() ? T{1} : std::exp(k.g[head]);
        const auto key_factor = hn::Set(d, inverse_norm(key, k.key_dim));
        const auto query_factor = hn::Set(d, k.scale * inverse_norm(query, k.key_dim));
        for (std::size_t j = 0; j < k.value_dim; j += hn::Lanes(d)) {
            const std::size_t count = k.value_dim - j;
            T* state = k.state.data() + head * k.key_dim * k.value_dim + j;
            auto predicted = hn::Zero(d);
            for (std::size_t i = 0; i < k.key_dim; ++i) {
                predicted = hn::MulAdd(hn::Set(d, key[i]), load_first(d, state + i * k.value_dim, count), predicted);
            }
            predicted = hn::Mul(predicted, hn::Mul(key_factor, hn::Set(d, decay)));
            const auto error = hn::Sub(load_first(d, k.v + kv * k.value_dim + j, count), predicted);
            const auto write = hn::Mul(hn::Mul(hn::Set(d, k.beta[head]), error), key_factor);
            auto out = hn::Zero(d);
            for (std::size_t i = 0; i < k.key_dim; ++i) {
                const auto left = hn::Mul(hn::Set(d, decay), load_first(d, state + i * k.value_dim, count));
                const auto next = hn::MulAdd(hn::Set(d, key[i]), write, left);
                out = hn::MulAdd(hn::Set(d, query[i]), next, out);
                store_first(next, d, state + i * k.value_dim, count);
            }
            store_first(hn::Mul(query_factor, out), d, k.out + head * k.value_dim + j, count);
        }
    }
}

}  // namespace delta

Pieces<DeltaAttentionStep> delta_attention_step() { return {delta::step_heads<float>, delta::step_heads<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(delta_attention_step);

template <class T>
void run(CpuContext& cpu, const DeltaAttentionStep<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(delta_attention_step)();
    cpu.for_each(k.heads, [&](std::size_t head) { piece(k, head, head + 1); });
}

template void run(CpuContext&, const DeltaAttentionStep<float>&);
template void run(CpuContext&, const DeltaAttentionStep<double>&);

}  // namespace loglog
#endif
