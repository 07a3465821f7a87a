#include "engine/kernels/sigmoid_gate.hpp"

#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/sigmoid_gate_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_rows-inl.hpp"
#include "engine/kernels/vector_softplus-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

template <class T>
void sigmoid_elements(const SigmoidForward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const auto scale = hn::Set(d, k.scale);
    for (std::size_t i = begin; i < end; i += hn::Lanes(d)) {
        const auto s = vector_sigmoid(d, load_first(d, k.x.data() + i, end - i));
        store_first(hn::Mul(scale, s), d, k.y.data() + i, end - i);
    }
}

template <class T>
void sigmoid_backward_elements(const SigmoidBackward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const auto scale = hn::Set(d, k.scale);
    for (std::size_t i = begin; i < end; i += hn::Lanes(d)) {
        const auto slope = vector_sigmoid_slope(d, load_first(d, k.x.data() + i, end - i));
        const auto dy = load_first(d, k.dy.data() + i, end - i);
        store_first(hn::Mul(dy, hn::Mul(scale, slope)), d, k.dx.data() + i, end - i);
    }
}

template <class T>
void gated_elements(const GatedForward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    for (std::size_t i = begin; i < end; i += hn::Lanes(d)) {
        const auto s = vector_sigmoid(d, load_first(d, k.x.data() + i, end - i));
        store_first(hn::Mul(load_first(d, k.y.data() + i, end - i), s), d, k.out.data() + i, end - i);
    }
}

template <class D, class T>
HWY_INLINE void contribute(D d, hn::Vec<D> value, T* to, std::size_t count, bool accumulate) {
    store_first(accumulate ? hn::Add(load_first(d, to, count), value) : value, d, to, count);
}

template <class T>
void gated_backward_elements(const GatedBackward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    for (std::size_t i = begin; i < end; i += hn::Lanes(d)) {
        const std::size_t count = end - i;
        const auto x = load_first(d, k.x.data() + i, count);
        const auto d_out = load_first(d, k.d_out.data() + i, count);
        const auto y = load_first(d, k.y.data() + i, count);
        if (!k.dy.empty()) {
            contribute(d, hn::Mul(d_out, vector_sigmoid(d, x)), k.dy.data() + i, count, k.accumulate_dy);
        }
        if (!k.dx.empty()) {
            const auto dx = hn::Mul(hn::Mul(d_out, y), vector_sigmoid_slope(d, x));
            contribute(d, dx, k.dx.data() + i, count, k.accumulate_dx);
        }
    }
}

template <class T>
void silu_rows(const SiluRows<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    for (std::size_t row = begin; row < end; ++row) {
        const T* x = k.x + row * k.x_stride;
        T* y = k.y + row * k.y_stride;
        for (std::size_t i = 0; i < k.width; i += hn::Lanes(d)) {
            const auto value = load_first(d, x + i, k.width - i);
            store_first(hn::Mul(value, vector_sigmoid(d, value)), d, y + i, k.width - i);
        }
    }
}

template <class T>
void silu_backward_rows(const SiluRowsBackward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    for (std::size_t row = begin; row < end; ++row) {
        const T* x = k.x + row * k.x_stride;
        const T* dy = k.dy + row * k.y_stride;
        T* dx = k.dx + row * k.x_stride;
        for (std::size_t i = 0; i < k.width; i += hn::Lanes(d)) {
            const auto value = load_first(d, x + i, k.width - i);
            const auto slope = hn::MulAdd(value, vector_sigmoid_slope(d, value), vector_sigmoid(d, value));
            store_first(hn::Mul(load_first(d, dy + i, k.width - i), slope), d, dx + i, k.width - i);
        }
    }
}

Pieces<SigmoidForward> sigmoid_forward() { return {sigmoid_elements<float>, sigmoid_elements<double>}; }
Pieces<SigmoidBackward> sigmoid_backward() {
    return {sigmoid_backward_elements<float>, sigmoid_backward_elements<double>};
}
Pieces<GatedForward> gated_forward() { return {gated_elements<float>, gated_elements<double>}; }
Pieces<GatedBackward> gated_backward() { return {gated_backward_elements<float>, gated_backward_elements<double>}; }
Pieces<SiluRows> silu_forward() { return {silu_rows<float>, silu_rows<double>}; }
Pieces<SiluRowsBackward> silu_backward() { return {silu_backward_rows<float>, silu_backward_rows<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(sigmoid_forward);
HWY_EXPORT(sigmoid_backward);
HWY_EXPORT(gated_forward);
HWY_EXPORT(gated_backward);
HWY_EXPORT(silu_forward);
HWY_EXPORT(silu_backward);

// An exponential or a division counts as one.
template <class T>
Cost cost(const SigmoidForward<T>& k) {
    const double n = static_cast<double>(k.y.size());
    return {.model_flops = 0, .hardware_flops = 5 * n, .bytes_read = sizeof(T) * n, .bytes_written = sizeof(T) * n};
}

template <class T>
Cost cost(const SigmoidBackward<T>& k) {
    const double n = static_cast<double>(k.dx.size());
    return {.model_flops = 0, .hardware_flops = 8 * n, .bytes_read = sizeof(T) * 2 * n, .bytes_written = sizeof(T) * n};
}

template <class T>
Cost cost(const GatedForward<T>& k) {
    const double n = static_cast<double>(k.out.size());
    return {.model_flops = 0, .hardware_flops = 5 * n, .bytes_read = sizeof(T) * 2 * n, .bytes_written = sizeof(T) * n};
}

template <class T>
Cost cost(const GatedBackward<T>& k) {
    const double n = static_cast<double>(k.d_out.size());
    const double dy = k.dy.empty() ? 0 : 1;
    const double dx = k.dx.empty() ? 0 : 1;
    const double added = (k.accumulate_dy ? dy : 0) + (k.accumulate_dx ? dx : 0);
    return {.model_flops = 0,
            .hardware_flops = (5 * dy + 8 * dx + added) * n,
            .bytes_read = sizeof(T) * (3 + added) * n,
            .bytes_written = sizeof(T) * (dy + dx) * n};
}

template <class T>
Cost cost(const SiluRows<T>& k) {
    const double n = static_cast<double>(k.rows * k.width);
    return {.model_flops = 0, .hardware_flops = 5 * n, .bytes_read = sizeof(T) * n, .bytes_written = sizeof(T) * n};
}

template <class T>
Cost cost(const SiluRowsBackward<T>& k) {
    const double n = static_cast<double>(k.rows * k.width);
    return {
        .model_flops = 0, .hardware_flops = 13 * n, .bytes_read = sizeof(T) * 2 * n, .bytes_written = sizeof(T) * n};
}

template <class T>
void run(CpuContext& cpu, const SigmoidForward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(sigmoid_forward)();
    cpu.for_each_range(k.y.size(), elements_per_piece,
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const SigmoidBackward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(sigmoid_backward)();
    cpu.for_each_range(k.dx.size(), elements_per_piece,
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const GatedForward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(gated_forward)();
    cpu.for_each_range(k.out.size(), elements_per_piece,
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const GatedBackward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(gated_backward)();
    cpu.for_each_range(k.d_out.size(), elements_per_piece,
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const SiluRows<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(silu_forward)();
    cpu.for_each_range(k.rows, rows_per_piece(k.width),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const SiluRowsBackward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(silu_backward)();
    cpu.for_each_range(k.rows, rows_per_piece(k.width),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template Cost cost(const SigmoidForward<float>&);
template Cost cost(const SigmoidForward<double>&);
template Cost cost(const SigmoidBackward<float>&);
template Cost cost(const SigmoidBackward<double>&);
template Cost cost(const GatedForward<float>&);
template Cost cost(const GatedForward<double>&);
template Cost cost(const GatedBackward<float>&);
template Cost cost(const GatedBackward<double>&);
template Cost cost(const SiluRows<float>&);
template Cost cost(const SiluRows<double>&);
template Cost cost(const SiluRowsBackward<float>&);
template Cost cost(const SiluRowsBackward<double>&);
template void run(CpuContext&, const SigmoidForward<float>&);
template void run(CpuContext&, const SigmoidForward<double>&);
template void run(CpuContext&, const SigmoidBackward<float>&);
template void run(CpuContext&, const SigmoidBackward<double>&);
template void run(CpuContext&, const GatedForward<float>&);
template void run(CpuContext&, const GatedForward<double>&);
template void run(CpuContext&, const GatedBackward<float>&);
template void run(CpuContext&, const GatedBackward<double>&);
template void run(CpuContext&, const SiluRows<float>&);
template void run(CpuContext&, const SiluRows<double>&);
template void run(CpuContext&, const SiluRowsBackward<float>&);
template void run(CpuContext&, const SiluRowsBackward<double>&);

}  // namespace loglog
#endif
