#include "engine/kernels/activation.hpp"

#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/activation_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_math-inl.hpp"
#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

template <Activation activation, class D>
HWY_INLINE hn::Vec<D> activation_value(D d, hn::Vec<D> x) {
    if constexpr (activation == Activation::gelu) { return gelu_value(d, x); }
    if constexpr (activation == Activation::gelu_erf) { return gelu_erf_value(d, x); }
    // Written so that a NaN is kept.
    if constexpr (activation == Activation::relu) { return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x); }
    return x;
}

template <Activation activation, class D>
HWY_INLINE hn::Vec<D> activation_slope(D d, hn::Vec<D> x) {
    const auto one = hn::Set(d, hn::TFromD<D>{1});
    if constexpr (activation == Activation::gelu) { return gelu_derivative(d, x); }
    if constexpr (activation == Activation::gelu_erf) { return gelu_erf_derivative(d, x); }
    if constexpr (activation == Activation::relu) { return hn::IfThenZeroElse(hn::Le(x, hn::Zero(d)), one); }
    return one;
}

template <Activation activation, class T>
void activate(const ActivationForward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    for (std::size_t i = begin; i < end; i += hn::Lanes(d)) {
        store_first(activation_value<activation>(d, load_first(d, k.x.data() + i, end - i)), d, k.y.data() + i,
                    end - i);
    }
}

template <Activation activation, class T>
void activate_backward(const ActivationBackward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    for (std::size_t i = begin; i < end; i += hn::Lanes(d)) {
        const auto slope = activation_slope<activation>(d, load_first(d, k.x.data() + i, end - i));
        store_first(hn::Mul(load_first(d, k.dy.data() + i, end - i), slope), d, k.dx.data() + i, end - i);
    }
}

template <class T>
void activation_forward_piece(const ActivationForward<T>& k, std::size_t begin, std::size_t end) {
    switch (k.activation) {
        case Activation::none:
            return activate<Activation::none>(k, begin, end);
        case Activation::gelu:
            return activate<Activation::gelu>(k, begin, end);
        case Activation::gelu_erf:
            return activate<Activation::gelu_erf>(k, begin, end);
        case Activation::relu:
            return activate<Activation::relu>(k, begin, end);
    }
}

template <class T>
void activation_backward_piece(const ActivationBackward<T>& k, std::size_t begin, std::size_t end) {
    switch (k.activation) {
        case Activation::none:
            return activate_backward<Activation::none>(k, begin, end);
        case Activation::gelu:
            return activate_backward<Activation::gelu>(k, begin, end);
        case Activation::gelu_erf:
            return activate_backward<Activation::gelu_erf>(k, begin, end);
        case Activation::relu:
            return activate_backward<Activation::relu>(k, begin, end);
    }
}

template <class T>
void swiglu_forward_rows(const SwigluForward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    for (std::size_t row = begin; row < end; ++row) {
        const T* gate = k.x.data() + row * 2 * k.width;
        const T* up = gate + k.width;
        T* y = k.y.data() + row * k.width;
        for (std::size_t i = 0; i < k.width; i += hn::Lanes(d)) {
            const std::size_t count = k.width - i;
            const auto g = load_first(d, gate + i, count);
            const auto silu = hn::Mul(g, vector_sigmoid(d, g));
            store_first(hn::Mul(silu, load_first(d, up + i, count)), d, y + i, count);
        }
    }
}

// silu' = s + g s (1 - s)
template <class T>
void swiglu_backward_rows(const SwigluBackward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    for (std::size_t row = begin; row < end; ++row) {
        const T* gate = k.x.data() + row * 2 * k.width;
        const T* up = gate + k.width;
        const T* dy = k.dy.data() + row * k.width;
        T* dgate = k.dx.data() + row * 2 * k.width;
        T* dup = dgate + k.width;
        for (std::size_t i = 0; i < k.width; i += hn::Lanes(d)) {
            const std::size_t count = k.width - i;
            const auto g = load_first(d, gate + i, count);
            const auto u = load_first(d, up + i, count);
            const auto dout = load_first(d, dy + i, count);
            const auto s = vector_sigmoid(d, g);
            const auto silu = hn::Mul(g, s);
            const auto slope = hn::NegMulAdd(silu, s, hn::Add(s, silu));
            store_first(hn::Mul(dout, hn::Mul(u, slope)), d, dgate + i, count);
            store_first(hn::Mul(dout, silu), d, dup + i, count);
        }
    }
}

Pieces<ActivationForward> activation_forward() {
    return {activation_forward_piece<float>, activation_forward_piece<double>};
}
Pieces<ActivationBackward> activation_backward() {
    return {activation_backward_piece<float>, activation_backward_piece<double>};
}
Pieces<SwigluForward> swiglu_forward() { return {swiglu_forward_rows<float>, swiglu_forward_rows<double>}; }
Pieces<SwigluBackward> swiglu_backward() { return {swiglu_backward_rows<float>, swiglu_backward_rows<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(activation_forward);
HWY_EXPORT(activation_backward);
HWY_EXPORT(swiglu_forward);
HWY_EXPORT(swiglu_backward);

namespace {

// Arithmetic operations per element, an exponential, error function or division counted as one.
double forward_operations(Activation activation) {
    switch (activation) {
        case Activation::none:
            return 0;
        case Activation::gelu:
            return 7;
        case Activation::gelu_erf:
            return 4;
        case Activation::relu:
            return 1;
    }
    return 0;
}

double backward_operations(Activation activation) {
    switch (activation) {
        case Activation::none:
            return 1;
        case Activation::gelu:
            return 16;
        case Activation::gelu_erf:
            return 11;
        case Activation::relu:
            return 2;
    }
    return 0;
}

}  // namespace

template <class T>
Cost cost(const ActivationForward<T>& k) {
    const double n = static_cast<double>(k.x.size());
    return {.model_flops = 0,
            .hardware_flops = forward_operations(k.activation) * n,
            .bytes_read = sizeof(T) * n,
            .bytes_written = sizeof(T) * n};
}

template <class T>
Cost cost(const ActivationBackward<T>& k) {
    const double n = static_cast<double>(k.x.size());
    return {.model_flops = 0,
            .hardware_flops = backward_operations(k.activation) * n,
            .bytes_read = 2 * sizeof(T) * n,
            .bytes_written = sizeof(T) * n};
}

template <class T>
Cost cost(const SwigluForward<T>& k) {
    const double n = static_cast<double>(k.y.size());
    return {.model_flops = 0, .hardware_flops = 6 * n, .bytes_read = 2 * sizeof(T) * n, .bytes_written = sizeof(T) * n};
}

template <class T>
Cost cost(const SwigluBackward<T>& k) {
    const double n = static_cast<double>(k.dy.size());
    return {.model_flops = 0,
            .hardware_flops = 11 * n,
            .bytes_read = 3 * sizeof(T) * n,
            .bytes_written = 2 * sizeof(T) * n};
}

template <class T>
void run(CpuContext& cpu, const ActivationForward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(activation_forward)();
    cpu.for_each_range(k.x.size(), elements_per_piece,
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const ActivationBackward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(activation_backward)();
    cpu.for_each_range(k.x.size(), elements_per_piece,
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const SwigluForward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(swiglu_forward)();
    cpu.for_each_range(k.width == 0 ? 0 : k.y.size() / k.width, rows_per_piece(k.width),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const SwigluBackward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(swiglu_backward)();
    cpu.for_each_range(k.width == 0 ? 0 : k.dy.size() / k.width, rows_per_piece(k.width),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template Cost cost(const ActivationForward<float>&);
template Cost cost(const ActivationForward<double>&);
template Cost cost(const ActivationBackward<float>&);
template Cost cost(const ActivationBackward<double>&);
template Cost cost(const SwigluForward<float>&);
template Cost cost(const SwigluForward<double>&);
template Cost cost(const SwigluBackward<float>&);
template Cost cost(const SwigluBackward<double>&);
template void run(CpuContext&, const ActivationForward<float>&);
template void run(CpuContext&, const ActivationForward<double>&);
template void run(CpuContext&, const ActivationBackward<float>&);
template void run(CpuContext&, const ActivationBackward<double>&);
template void run(CpuContext&, const SwigluForward<float>&);
template void run(CpuContext&, const SwigluForward<double>&);
template void run(CpuContext&, const SwigluBackward<float>&);
template void run(CpuContext&, const SwigluBackward<double>&);

}  // namespace loglog
#endif
