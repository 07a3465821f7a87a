#include "engine/kernels/rms_norm.hpp"

#include <cmath>

#include "engine/kernels/chunk_sums.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/rms_norm_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

template <class T>
HWY_INLINE void rms_norm_forward_row(const RmsNormForward<T>& k, const T* HWY_RESTRICT x, T* y, T& inv_rms) {
    const hn::ScalableTag<T> d;
    const std::size_t width = k.sizes.width;
    auto sum = hn::Zero(d);
    for (std::size_t i = 0; i < width; i += hn::Lanes(d)) {
        const auto value = load_first(d, x + i, width - i);
        sum = hn::MulAdd(value, value, sum);
    }
    inv_rms = T{1} / std::sqrt(lane_sum(d, sum) / static_cast<T>(width) + k.epsilon);
    const auto scale = hn::Set(d, inv_rms);
    for (std::size_t i = 0; i < width; i += hn::Lanes(d)) {
        const std::size_t count = width - i;
        const auto normal = hn::Mul(load_first(d, x + i, count), scale);
        store_first(hn::Mul(normal, load_first(d, k.gain.data() + i, count)), d, y + i, count);
    }
}

template <class T>
void rms_norm_forward_tokens(const RmsNormForward<T>& k, std::size_t begin, std::size_t end) {
    for (std::size_t token = begin; token < end; ++token) {
        for (std::size_t group = 0; group < k.sizes.groups; ++group) {
            rms_norm_forward_row(k, k.x + token * k.sizes.x_stride + group * k.sizes.width,
                                 k.y + token * k.sizes.y_stride + group * k.sizes.width,
                                 k.inv_rms[token * k.sizes.groups + group]);
        }
    }
}

// With h = gain * dy and n = x / rms: dx = (h - n mean(h n)) / rms.
template <class T>
HWY_INLINE void rms_norm_backward_row(const RmsNormBackward<T>& k, const T* x, const T* dy, T* dx, T inv_rms,
                                      T* HWY_RESTRICT dgain) {
    const hn::ScalableTag<T> d;
    const std::size_t width = k.sizes.width;
    const auto scale = hn::Set(d, inv_rms);
    auto sum = hn::Zero(d);
    for (std::size_t i = 0; i < width; i += hn::Lanes(d)) {
        const std::size_t count = width - i;
        const auto g = load_first(d, dy + i, count);
        const auto product = hn::Mul(g, hn::Mul(load_first(d, x + i, count), scale));
        sum = hn::MulAdd(product, load_first(d, k.gain.data() + i, count), sum);
        store_first(hn::Add(load_first(d, dgain + i, count), product), d, dgain + i, count);
    }
    const auto mean = hn::Set(d, lane_sum(d, sum) / static_cast<T>(width));
    for (std::size_t i = 0; i < width; i += hn::Lanes(d)) {
        const std::size_t count = width - i;
        const auto normal = hn::Mul(load_first(d, x + i, count), scale);
        const auto h = hn::Mul(load_first(d, dy + i, count), load_first(d, k.gain.data() + i, count));
        auto gradient = hn::Mul(hn::NegMulAdd(normal, mean, h), scale);
        if (k.accumulate_dx) { gradient = hn::Add(gradient, load_first(d, dx + i, count)); }
        store_first(gradient, d, dx + i, count);
    }
}

template <class T>
void rms_norm_backward_chunks(const RmsNormBackward<T>& k, T* partial, std::size_t begin, std::size_t end) {
    const auto& sizes = k.sizes;
    T* dgain = partial + begin / rows_per_chunk * sizes.width;
    for (std::size_t i = 0; i < sizes.width; ++i) { dgain[i] = 0; }
    for (std::size_t token = begin; token < end; ++token) {
        for (std::size_t group = 0; group < sizes.groups; ++group) {
            const std::size_t at_x = token * sizes.x_stride + group * sizes.width;
            const std::size_t at_y = token * sizes.y_stride + group * sizes.width;
            rms_norm_backward_row(k, k.x + at_x, k.dy + at_y, k.dx + at_x, k.inv_rms[token * sizes.groups + group],
                                  dgain);
        }
    }
}

Pieces<RmsNormForward> rms_norm_forward() { return {rms_norm_forward_tokens<float>, rms_norm_forward_tokens<double>}; }
ChunkPieces<RmsNormBackward> rms_norm_backward() {
    return {rms_norm_backward_chunks<float>, rms_norm_backward_chunks<double>};
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(rms_norm_forward);
HWY_EXPORT(rms_norm_backward);

template <class T>
Cost cost(const RmsNormForward<T>& k) {
    const double rows = static_cast<double>(k.sizes.tokens * k.sizes.groups);
    const double width = static_cast<double>(k.sizes.width);
    return {.model_flops = 0,
            .hardware_flops = 4 * rows * width + 4 * rows,
            .bytes_read = sizeof(T) * (rows * width + width),
            .bytes_written = sizeof(T) * (rows * width + rows)};
}

template <class T>
Cost cost(const RmsNormBackward<T>& k) {
    const double rows = static_cast<double>(k.sizes.tokens * k.sizes.groups);
    const double width = static_cast<double>(k.sizes.width);
    const double added = k.accumulate_dx ? 1 : 0;
    return {.model_flops = 0,
            .hardware_flops = (10 + added) * rows * width + static_cast<double>(chunks_of(k.sizes.tokens)) * width,
            .bytes_read = sizeof(T) * ((2 + added) * rows * width + rows + width * (k.accumulate_dgain ? 2 : 1)),
            .bytes_written = sizeof(T) * (rows * width + width)};
}

template <class T>
void run(CpuContext& cpu, const RmsNormForward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(rms_norm_forward)();
    cpu.for_each_range(k.sizes.tokens, rows_per_piece(k.sizes.width * k.sizes.groups),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const RmsNormBackward<T>& k) {
    const std::size_t chunks = chunks_of(k.sizes.tokens);
    T* partial = cpu.scratch_of<T>(chunks * k.sizes.width);
    const auto piece = HWY_DYNAMIC_DISPATCH(rms_norm_backward)();
    cpu.for_each_range(k.sizes.tokens, rows_per_chunk,
                       [&](std::size_t begin, std::size_t end) { piece(k, partial, begin, end); });
    run(cpu, ChunkSums<T>{partial, chunks, k.sizes.width, k.sizes.width, k.dgain.data(), 1, k.accumulate_dgain});
}

template Cost cost(const RmsNormForward<float>&);
template Cost cost(const RmsNormForward<double>&);
template Cost cost(const RmsNormBackward<float>&);
template Cost cost(const RmsNormBackward<double>&);
template void run(CpuContext&, const RmsNormForward<float>&);
template void run(CpuContext&, const RmsNormForward<double>&);
template void run(CpuContext&, const RmsNormBackward<float>&);
template void run(CpuContext&, const RmsNormBackward<double>&);

}  // namespace loglog
#endif
