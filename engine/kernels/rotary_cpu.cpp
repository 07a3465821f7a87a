#include "engine/kernels/rotary.hpp"

#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/rotary_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

template <class T>
void rotary_tokens(const Rotary<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const std::size_t half = k.head_dim / 2;
    const auto sign = hn::Set(d, k.inverse ? T{-1} : T{1});
    for (std::size_t token = begin; token < end; ++token) {
        const std::size_t position = k.first_position + token % k.time;
        const T* cosine = k.cosine.data() + position * half;
        const T* sine = k.sine.data() + position * half;
        for (std::size_t head = 0; head < k.heads; ++head) {
            T* low = k.data + token * k.token_stride + head * k.head_dim;
            T* high = low + half;
            for (std::size_t i = 0; i < half; i += hn::Lanes(d)) {
                const std::size_t count = half - i;
                const auto c = load_first(d, cosine + i, count);
                const auto s = hn::Mul(sign, load_first(d, sine + i, count));
                const auto x = load_first(d, low + i, count);
                const auto y = load_first(d, high + i, count);
                store_first(hn::NegMulAdd(y, s, hn::Mul(x, c)), d, low + i, count);
                store_first(hn::MulAdd(x, s, hn::Mul(y, c)), d, high + i, count);
            }
        }
    }
}

Pieces<Rotary> rotary() { return {rotary_tokens<float>, rotary_tokens<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(rotary);

template <class T>
Cost cost(const Rotary<T>& k) {
    const double n = static_cast<double>(k.tokens * k.heads * (k.head_dim / 2 * 2));
    const double table = static_cast<double>((k.tokens < k.time ? k.tokens : k.time) * (k.head_dim / 2 * 2));
    return {.model_flops = 0,
            .hardware_flops = 3.5 * n,
            .bytes_read = sizeof(T) * (n + table),
            .bytes_written = sizeof(T) * n};
}

template <class T>
void run(CpuContext& cpu, const Rotary<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(rotary)();
    cpu.for_each_range(k.tokens, rows_per_piece(k.heads * k.head_dim),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template Cost cost(const Rotary<float>&);
template Cost cost(const Rotary<double>&);
template void run(CpuContext&, const Rotary<float>&);
template void run(CpuContext&, const Rotary<double>&);

}  // namespace loglog
#endif
