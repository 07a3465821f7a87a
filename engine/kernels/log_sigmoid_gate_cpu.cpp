#include "engine/kernels/log_sigmoid_gate.hpp"

#include "engine/kernels/chunk_sums.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/log_sigmoid_gate_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_rows-inl.hpp"
#include "engine/kernels/vector_softplus-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

// -(x + bias) from column c of a row on.
template <class D, class Kernel>
HWY_INLINE hn::Vec<D> minus_logit(D d, const Kernel& k, std::size_t row, std::size_t c) {
    const std::size_t count = k.columns - c;
    auto z = load_first(d, k.x.data() + row * k.columns + c, count);
    if (!k.bias.empty()) { z = hn::Add(z, load_first(d, k.bias.data() + c, count)); }
    return hn::Neg(z);
}

// log(sigmoid(z)) = -softplus(-z)
template <class T>
void log_sigmoid_forward_rows(const LogSigmoidGateForward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const auto minus_factor = hn::Set(d, -k.factor);
    for (std::size_t row = begin; row < end; ++row) {
        T* g = k.g.data() + row * k.columns;
        for (std::size_t c = 0; c < k.columns; c += hn::Lanes(d)) {
            const auto softplus = vector_softplus(d, minus_logit(d, k, row, c));
            store_first(hn::Mul(minus_factor, softplus), d, g + c, k.columns - c);
        }
    }
}

template <class T>
void log_sigmoid_backward_chunks(const LogSigmoidGateBackward<T>& k, T* partial, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const auto factor = hn::Set(d, k.factor);
    T* sums = k.d_bias.empty() ? nullptr : partial + begin / rows_per_chunk * k.columns;
    for (std::size_t c = 0; c < k.columns; c += hn::Lanes(d)) {
        const std::size_t count = k.columns - c;
        auto sum = hn::Zero(d);
        for (std::size_t row = begin; row < end; ++row) {
            const auto dg = load_first(d, k.dg.data() + row * k.columns + c, count);
            const auto dx = hn::Mul(hn::Mul(dg, factor), vector_sigmoid(d, minus_logit(d, k, row, c)));
            store_first(dx, d, k.dx.data() + row * k.columns + c, count);
            sum = hn::Add(sum, dx);
        }
        if (sums != nullptr) { store_first(sum, d, sums + c, count); }
    }
}

Pieces<LogSigmoidGateForward> log_sigmoid_forward() {
    return {log_sigmoid_forward_rows<float>, log_sigmoid_forward_rows<double>};
}
ChunkPieces<LogSigmoidGateBackward> log_sigmoid_backward() {
    return {log_sigmoid_backward_chunks<float>, log_sigmoid_backward_chunks<double>};
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(log_sigmoid_forward);
HWY_EXPORT(log_sigmoid_backward);

// Exponentials, logarithms and divisions count as one.
template <class T>
Cost cost(const LogSigmoidGateForward<T>& k) {
    const double n = static_cast<double>(k.g.size());
    const double bias = static_cast<double>(k.bias.size());
    return {.model_flops = 0,
            .hardware_flops = (bias > 0 ? 7 : 6) * n,
            .bytes_read = sizeof(T) * (n + bias),
            .bytes_written = sizeof(T) * n};
}

template <class T>
Cost cost(const LogSigmoidGateBackward<T>& k) {
    const double n = static_cast<double>(k.dg.size());
    const double bias = static_cast<double>(k.bias.size());
    const double sums = static_cast<double>(k.d_bias.size());
    return {.model_flops = 0,
            .hardware_flops = (bias > 0 ? 8 : 7) * n + sums,
            .bytes_read = sizeof(T) * (2 * n + bias),
            .bytes_written = sizeof(T) * (n + sums)};
}

template <class T>
void run(CpuContext& cpu, const LogSigmoidGateForward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(log_sigmoid_forward)();
    cpu.for_each_range(k.columns == 0 ? 0 : k.g.size() / k.columns, rows_per_piece(k.columns),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const LogSigmoidGateBackward<T>& k) {
    const std::size_t rows = k.columns == 0 ? 0 : k.dg.size() / k.columns;
    const std::size_t chunks = chunks_of(rows);
    T* partial = cpu.scratch_of<T>(chunks * k.d_bias.size());
    const auto piece = HWY_DYNAMIC_DISPATCH(log_sigmoid_backward)();
    cpu.for_each_range(rows, rows_per_chunk,
                       [&](std::size_t begin, std::size_t end) { piece(k, partial, begin, end); });
    run(cpu, ChunkSums<T>{partial, chunks, k.columns, k.d_bias.size(), k.d_bias.data(), 1, k.accumulate_d_bias});
}

template Cost cost(const LogSigmoidGateForward<float>&);
template Cost cost(const LogSigmoidGateForward<double>&);
template Cost cost(const LogSigmoidGateBackward<float>&);
template Cost cost(const LogSigmoidGateBackward<double>&);
template void run(CpuContext&, const LogSigmoidGateForward<float>&);
template void run(CpuContext&, const LogSigmoidGateForward<double>&);
template void run(CpuContext&, const LogSigmoidGateBackward<float>&);
template void run(CpuContext&, const LogSigmoidGateBackward<double>&);

}  // namespace loglog
#endif
