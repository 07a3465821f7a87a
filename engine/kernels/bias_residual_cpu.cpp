#include "engine/kernels/bias_residual.hpp"

#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/bias_residual_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

template <class T>
void join_rows(const BiasResidual<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const auto scale = hn::Set(d, k.scale);
    for (std::size_t row = begin; row < end; ++row) {
        const std::size_t start = row * k.width;
        for (std::size_t i = 0; i < k.width; i += hn::Lanes(d)) {
            const std::size_t count = k.width - i;
            auto v = load_first(d, k.x.data() + start + i, count);
            if (!k.bias.empty()) { v = hn::Add(v, load_first(d, k.bias.data() + i, count)); }
            v = k.residual.empty() ? hn::Mul(scale, v)
                                   : hn::MulAdd(scale, v, load_first(d, k.residual.data() + start + i, count));
            store_first(v, d, k.y.data() + start + i, count);
        }
    }
}

template <class T>
void add_partials(const AddPartials<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    for (std::size_t i = begin; i < end; i += hn::Lanes(d)) {
        const std::size_t count = end - i;
        auto sum = load_first(d, k.x.data() + i, count);
        for (std::size_t p = 0; p < k.count; ++p) { sum = hn::Add(load_first(d, k.partials[p] + i, count), sum); }
        store_first(sum, d, k.y.data() + i, count);
    }
}

Pieces<BiasResidual> join() { return {join_rows<float>, join_rows<double>}; }
Pieces<AddPartials> add() { return {add_partials<float>, add_partials<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(join);
HWY_EXPORT(add);

template <class T>
Cost cost(const BiasResidual<T>& k) {
    const double n = static_cast<double>(k.x.size());
    const double added = k.residual.empty() ? 0 : 1;
    const double shifted = k.bias.empty() ? 0 : 1;
    return {.model_flops = 0,
            .hardware_flops = (1 + added + shifted) * n,
            .bytes_read = sizeof(T) * ((1 + added) * n + static_cast<double>(k.bias.size())),
            .bytes_written = sizeof(T) * n};
}

template <class T>
Cost cost(const AddPartials<T>& k) {
    const double n = static_cast<double>(k.x.size());
    const double partials = static_cast<double>(k.count);
    return {.model_flops = 0,
            .hardware_flops = partials * n,
            .bytes_read = sizeof(T) * (1 + partials) * n,
            .bytes_written = sizeof(T) * n};
}

template <class T>
void run(CpuContext& cpu, const BiasResidual<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(join)();
    cpu.for_each_range(k.width == 0 ? 0 : k.x.size() / k.width, rows_per_piece(k.width),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const AddPartials<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(add)();
    cpu.for_each_range(k.x.size(), elements_per_piece,
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template Cost cost(const BiasResidual<float>&);
template Cost cost(const BiasResidual<double>&);
template Cost cost(const AddPartials<float>&);
template Cost cost(const AddPartials<double>&);
template void run(CpuContext&, const BiasResidual<float>&);
template void run(CpuContext&, const BiasResidual<double>&);
template void run(CpuContext&, const AddPartials<float>&);
template void run(CpuContext&, const AddPartials<double>&);

}  // namespace loglog
#endif
