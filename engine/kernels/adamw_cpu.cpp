#include "engine/kernels/adamw.hpp"

#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/adamw_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

template <class T>
void adamw_elements(const AdamW<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const auto scale = hn::Set(d, k.gradient_scale);
    const auto beta1 = hn::Set(d, k.beta1);
    const auto beta2 = hn::Set(d, k.beta2);
    const auto rest1 = hn::Set(d, T{1} - k.beta1);
    const auto rest2 = hn::Set(d, T{1} - k.beta2);
    const auto inverse1 = hn::Set(d, k.lr / k.correction1);
    const auto inverse2 = hn::Set(d, T{1} / k.correction2);
    const auto epsilon = hn::Set(d, k.epsilon);
    const auto decay = hn::Set(d, k.lr * k.weight_decay);
    for (std::size_t i = begin; i < end; i += hn::Lanes(d)) {
        const std::size_t count = end - i;
        const auto g = hn::Mul(scale, load_first(d, k.gradient.data() + i, count));
        const auto m = hn::MulAdd(beta1, load_first(d, k.first_moment.data() + i, count), hn::Mul(rest1, g));
        const auto v =
            hn::MulAdd(beta2, load_first(d, k.second_moment.data() + i, count), hn::Mul(rest2, hn::Mul(g, g)));
        const auto value = load_first(d, k.value.data() + i, count);
        const auto step = hn::Div(hn::Mul(inverse1, m), hn::Add(hn::Sqrt(hn::Mul(v, inverse2)), epsilon));
        store_first(m, d, k.first_moment.data() + i, count);
        store_first(v, d, k.second_moment.data() + i, count);
        store_first(hn::Sub(hn::NegMulAdd(decay, value, value), step), d, k.value.data() + i, count);
    }
}

Pieces<AdamW> adamw() { return {adamw_elements<float>, adamw_elements<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(adamw);

template <class T>
Cost cost(const AdamW<T>& k) {
    const double n = static_cast<double>(k.value.size());
    return {.model_flops = 0,
            .hardware_flops = 16 * n,
            .bytes_read = 4 * sizeof(T) * n,
            .bytes_written = 3 * sizeof(T) * n};
}

template <class T>
void run(CpuContext& cpu, const AdamW<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(adamw)();
    cpu.for_each_range(k.value.size(), elements_per_piece,
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template Cost cost(const AdamW<float>&);
template Cost cost(const AdamW<double>&);
template void run(CpuContext&, const AdamW<float>&);
template void run(CpuContext&, const AdamW<double>&);

}  // namespace loglog
#endif
