#include <algorithm>
#include <cmath>

#include "engine/kernels/linear_attention.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/linear_attention_step_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/linear_features-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

// out = q^T state, once state = decay * state + k v^T; `features` are phi(q) and phi(k), each of padded_dim(key_dim).
template <class T>
void step_state(const LinearAttentionStep<T>& k, std::size_t head, const T* features, T decay, T normalizer) {
    const hn::ScalableTag<T> d;
    const auto& s = k.in.sizes;
    const T* q = features;
    const T* key = features + padded_dim(s.key_dim);
    const T* v = k.in.v.data + head / (s.heads / s.kv_heads) * s.value_dim;
    T* state = k.state.data() + head * s.key_dim * s.value_dim;
    const auto factor = hn::Set(d, decay);
    const auto inverse = hn::Set(d, T{1} / normalizer);
    for (std::size_t i = 0; i < s.value_dim; i += hn::Lanes(d)) {
        const std::size_t count = s.value_dim - i;
        const auto value = load_first(d, v + i, count);
        auto sum = hn::Zero(d);
        for (std::size_t c = 0; c < s.key_dim; ++c) {
            T* row = state + c * s.value_dim + i;
            const auto x = hn::MulAdd(hn::Set(d, key[c]), value, hn::Mul(factor, load_first(d, row, count)));
            sum = hn::MulAdd(hn::Set(d, q[c]), x, sum);
            store_first(x, d, row, count);
        }
        store_first(hn::Mul(inverse, sum), d, k.out.data + head * s.value_dim + i, count);
    }
}

// The normalizer after its state has taken in the key; 1 where there is none.
template <class T>
T step_normalizer(const LinearAttentionStep<T>& k, std::size_t head, const T* features, T decay) {
    if (k.normalizer.empty()) { return T{1}; }
    const std::size_t dim = k.in.sizes.key_dim;
    T* sums = k.normalizer.data() + head * dim;
    T n = 0;
    for (std::size_t c = 0; c < dim; ++c) {
        sums[c] = decay * sums[c] + features[padded_dim(dim) + c];
        n += features[c] * sums[c];
    }
    const T epsilon = static_cast<T>(k.epsilon);
    return k.clamp ? std::max(n, epsilon) : n + epsilon;
}

template <class T>
void step_heads(const LinearAttentionStep<T>& k, T* features, std::size_t begin, std::size_t end) {
    const auto& s = k.in.sizes;
    const std::size_t dim = padded_dim(s.key_dim);
    for (std::size_t head = begin; head < end; ++head) {
        const ChunkPlace place{s, 1, 0, head, 0};
        pack_queries(k.in, place, features, dim);
        pack_keys(k.in, place, features + dim, dim);
        const T decay = k.in.g.values == nullptr ? T{1} : std::exp(k.in.g.values[head]);
        step_state(k, head, features, decay, step_normalizer(k, head, features, decay));
    }
}

ChunkPieces<LinearAttentionStep> linear_attention_step() { return {step_heads<float>, step_heads<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(linear_attention_step);

template <class T>
void run(CpuContext& cpu, const LinearAttentionStep<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(linear_attention_step)();
    // Packing fills rows up to a multiple of four.
    const std::size_t scratch = 5 * padded_dim(k.in.sizes.key_dim);
    cpu.for_each(k.in.sizes.heads, [&](std::size_t head) { piece(k, cpu.scratch_of<T>(scratch), head, head + 1); });
}

template void run(CpuContext&, const LinearAttentionStep<float>&);
template void run(CpuContext&, const LinearAttentionStep<double>&);

}  // namespace loglog
#endif
