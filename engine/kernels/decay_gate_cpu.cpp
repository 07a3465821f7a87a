#include "engine/kernels/decay_gate.hpp"

#include "engine/kernels/chunk_sums.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/decay_gate_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_rows-inl.hpp"
#include "engine/kernels/vector_softplus-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

// Columns outside, so that a column's rate is found once.
template <class T>
void decay_gate_forward_rows(const DecayGateForward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const std::size_t heads = k.log_rate.size();
    for (std::size_t c = 0; c < heads; c += hn::Lanes(d)) {
        const std::size_t count = heads - c;
        const auto minus_rate = hn::Neg(vector_exp(d, load_first(d, k.log_rate.data() + c, count)));
        const auto offset = load_first(d, k.offset.data() + c, count);
        for (std::size_t row = begin; row < end; ++row) {
            const std::size_t at = row * heads + c;
            const auto z = hn::Add(load_first(d, k.x.data() + at, count), offset);
            store_first(hn::Mul(minus_rate, vector_softplus(d, z)), d, k.g.data() + at, count);
        }
    }
}

// A chunk's sums of d_log_rate, then of d_offset, [2, heads].
template <class T>
void decay_gate_backward_chunks(const DecayGateBackward<T>& k, T* partial, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const std::size_t heads = k.log_rate.size();
    T* sums = partial + begin / rows_per_chunk * 2 * heads;
    for (std::size_t c = 0; c < heads; c += hn::Lanes(d)) {
        const std::size_t count = heads - c;
        const auto minus_rate = hn::Neg(vector_exp(d, load_first(d, k.log_rate.data() + c, count)));
        const auto offset = load_first(d, k.offset.data() + c, count);
        auto d_log_rate = hn::Zero(d);
        auto d_offset = hn::Zero(d);
        for (std::size_t row = begin; row < end; ++row) {
            const std::size_t at = row * heads + c;
            const auto z = hn::Add(load_first(d, k.x.data() + at, count), offset);
            const auto dg = load_first(d, k.dg.data() + at, count);
            const auto gradient = hn::Mul(hn::Mul(dg, minus_rate), vector_sigmoid(d, z));
            d_log_rate = hn::MulAdd(dg, load_first(d, k.g.data() + at, count), d_log_rate);
            d_offset = hn::Add(d_offset, gradient);
            if (k.dx.empty()) { continue; }
            T* dx = k.dx.data() + at;
            store_first(k.accumulate_dx ? hn::Add(load_first(d, dx, count), gradient) : gradient, d, dx, count);
        }
        store_first(d_log_rate, d, sums + c, count);
        store_first(d_offset, d, sums + heads + c, count);
    }
}

Pieces<DecayGateForward> decay_gate_forward() {
    return {decay_gate_forward_rows<float>, decay_gate_forward_rows<double>};
}
ChunkPieces<DecayGateBackward> decay_gate_backward() {
    return {decay_gate_backward_chunks<float>, decay_gate_backward_chunks<double>};
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(decay_gate_forward);
HWY_EXPORT(decay_gate_backward);

// Exponentials, logarithms and divisions count as one.
template <class T>
Cost cost(const DecayGateForward<T>& k) {
    const double n = static_cast<double>(k.g.size());
    const double heads = static_cast<double>(k.log_rate.size());
    return {.model_flops = 0,
            .hardware_flops = 7 * n + 2 * heads,
            .bytes_read = sizeof(T) * (n + 2 * heads),
            .bytes_written = sizeof(T) * n};
}

template <class T>
Cost cost(const DecayGateBackward<T>& k) {
    const double n = static_cast<double>(k.dg.size());
    const double heads = static_cast<double>(k.log_rate.size());
    const double wanted = k.dx.empty() ? 0 : 1;
    const double added = k.accumulate_dx ? wanted : 0;
    const double sums = (k.d_log_rate.empty() ? 0 : heads) + (k.d_offset.empty() ? 0 : heads);
    return {.model_flops = 0,
            .hardware_flops = (10 + added) * n + 2 * sums,
            .bytes_read = sizeof(T) * ((3 + added) * n + 2 * heads),
            .bytes_written = sizeof(T) * (wanted * n + sums)};
}

template <class T>
void run(CpuContext& cpu, const DecayGateForward<T>& k) {
    const std::size_t heads = k.log_rate.size();
    const auto piece = HWY_DYNAMIC_DISPATCH(decay_gate_forward)();
    cpu.for_each_range(heads == 0 ? 0 : k.g.size() / heads, rows_per_piece(heads),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const DecayGateBackward<T>& k) {
    const std::size_t heads = k.log_rate.size();
    const std::size_t rows = heads == 0 ? 0 : k.dg.size() / heads;
    const std::size_t chunks = chunks_of(rows);
    T* partial = cpu.scratch_of<T>(chunks * 2 * heads);
    const auto piece = HWY_DYNAMIC_DISPATCH(decay_gate_backward)();
    cpu.for_each_range(rows, rows_per_chunk,
                       [&](std::size_t begin, std::size_t end) { piece(k, partial, begin, end); });
    run(cpu,
        ChunkSums<T>{partial, chunks, 2 * heads, k.d_log_rate.size(), k.d_log_rate.data(), 1, k.accumulate_d_log_rate});
    run(cpu, ChunkSums<T>{partial + heads, chunks, 2 * heads, k.d_offset.size(), k.d_offset.data(), 1,
                          k.accumulate_d_offset});
}

template Cost cost(const DecayGateForward<float>&);
template Cost cost(const DecayGateForward<double>&);
template Cost cost(const DecayGateBackward<float>&);
template Cost cost(const DecayGateBackward<double>&);
template void run(CpuContext&, const DecayGateForward<float>&);
template void run(CpuContext&, const DecayGateForward<double>&);
template void run(CpuContext&, const DecayGateBackward<float>&);
template void run(CpuContext&, const DecayGateBackward<double>&);

}  // namespace loglog
#endif
