#include "engine/kernels/layer_norm.hpp"

#include <cmath>

#include "engine/kernels/chunk_sums.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/layer_norm_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

template <class T>
HWY_INLINE T row_mean(const T* HWY_RESTRICT x, std::size_t width) {
    const hn::ScalableTag<T> d;
    auto sum = hn::Zero(d);
    for (std::size_t i = 0; i < width; i += hn::Lanes(d)) { sum = hn::Add(sum, load_first(d, x + i, width - i)); }
    return lane_sum(d, sum) / static_cast<T>(width);
}

template <class T>
HWY_INLINE T row_variance(const T* HWY_RESTRICT x, std::size_t width, T mean) {
    const hn::ScalableTag<T> d;
    const auto center = hn::Set(d, mean);
    auto sum = hn::Zero(d);
    std::size_t i = 0;
    for (; i + hn::Lanes(d) <= width; i += hn::Lanes(d)) {
        const auto difference = hn::Sub(hn::LoadU(d, x + i), center);
        sum = hn::MulAdd(difference, difference, sum);
    }
    if (i < width) {
        const auto mask = hn::FirstN(d, width - i);
        const auto difference = hn::IfThenElseZero(mask, hn::Sub(hn::MaskedLoad(mask, d, x + i), center));
        sum = hn::MulAdd(difference, difference, sum);
    }
    return lane_sum(d, sum) / static_cast<T>(width);
}

template <class T>
void layer_norm_forward_rows(const LayerNormForward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const std::size_t width = k.gain.size();
    const bool biased = !k.bias.empty();
    for (std::size_t row = begin; row < end; ++row) {
        const T* x = k.x.data() + row * width;
        T* y = k.y.data() + row * width;
        const T mean = row_mean(x, width);
        const T inv_std = T{1} / std::sqrt(row_variance(x, width, mean) + k.epsilon);
        k.mean[row] = mean;
        k.inv_std[row] = inv_std;
        const auto center = hn::Set(d, mean);
        const auto scale = hn::Set(d, inv_std);
        for (std::size_t i = 0; i < width; i += hn::Lanes(d)) {
            const std::size_t count = width - i;
            const auto normal = hn::Mul(hn::Sub(load_first(d, x + i, count), center), scale);
            const auto bias = biased ? load_first(d, k.bias.data() + i, count) : hn::Zero(d);
            store_first(hn::MulAdd(normal, load_first(d, k.gain.data() + i, count), bias), d, y + i, count);
        }
    }
}

// With h = gain * dy and n = (x - mean) / std: dx = (h - mean(h) - n mean(h n)) / std.
template <class T>
HWY_INLINE void layer_norm_backward_row(const LayerNormBackward<T>& k, std::size_t row, T* HWY_RESTRICT dgain,
                                        T* HWY_RESTRICT dbias) {
    const hn::ScalableTag<T> d;
    const std::size_t width = k.gain.size();
    const T* x = k.x.data() + row * width;
    const T* dy = k.dy.data() + row * width;
    T* dx = k.dx.data() + row * width;
    const T* gain = k.gain.data();
    const auto center = hn::Set(d, k.mean[row]);
    const auto scale = hn::Set(d, k.inv_std[row]);
    auto sum_h = hn::Zero(d);
    auto sum_hn = hn::Zero(d);
    for (std::size_t i = 0; i < width; i += hn::Lanes(d)) {
        const std::size_t count = width - i;
        const auto g = load_first(d, dy + i, count);
        const auto normal = hn::Mul(hn::Sub(load_first(d, x + i, count), center), scale);
        const auto h = hn::Mul(g, load_first(d, gain + i, count));
        sum_h = hn::Add(sum_h, h);
        sum_hn = hn::MulAdd(h, normal, sum_hn);
        store_first(hn::MulAdd(g, normal, load_first(d, dgain + i, count)), d, dgain + i, count);
        store_first(hn::Add(load_first(d, dbias + i, count), g), d, dbias + i, count);
    }
    const auto mean_h = hn::Set(d, lane_sum(d, sum_h) / static_cast<T>(width));
    const auto mean_hn = hn::Set(d, lane_sum(d, sum_hn) / static_cast<T>(width));
    for (std::size_t i = 0; i < width; i += hn::Lanes(d)) {
        const std::size_t count = width - i;
        const auto normal = hn::Mul(hn::Sub(load_first(d, x + i, count), center), scale);
        const auto h = hn::Mul(load_first(d, dy + i, count), load_first(d, gain + i, count));
        auto gradient = hn::Mul(hn::NegMulAdd(normal, mean_hn, hn::Sub(h, mean_h)), scale);
        if (k.accumulate_dx) { gradient = hn::Add(gradient, load_first(d, dx + i, count)); }
        store_first(gradient, d, dx + i, count);
    }
}

template <class T>
void layer_norm_backward_chunks(const LayerNormBackward<T>& k, T* partial, std::size_t begin, std::size_t end) {
    const std::size_t width = k.gain.size();
    T* dgain = partial + begin / rows_per_chunk * 2 * width;
    T* dbias = dgain + width;
    for (std::size_t i = 0; i < 2 * width; ++i) { dgain[i] = 0; }
    for (std::size_t row = begin; row < end; ++row) { layer_norm_backward_row(k, row, dgain, dbias); }
}

Pieces<LayerNormForward> layer_norm_forward() {
    return {layer_norm_forward_rows<float>, layer_norm_forward_rows<double>};
}
ChunkPieces<LayerNormBackward> layer_norm_backward() {
    return {layer_norm_backward_chunks<float>, layer_norm_backward_chunks<double>};
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(layer_norm_forward);
HWY_EXPORT(layer_norm_backward);

template <class T>
Cost cost(const LayerNormForward<T>& k) {
    const double elements = static_cast<double>(k.x.size());
    const double rows = static_cast<double>(k.mean.size());
    const double width = static_cast<double>(k.gain.size() + k.bias.size());
    // Mean 1, variance 3, normalise 2, gain and bias 2 per element; 4 per row.
    return {.model_flops = 0,
            .hardware_flops = 8 * elements + 4 * rows,
            .bytes_read = sizeof(T) * (elements + width),
            .bytes_written = sizeof(T) * (elements + 2 * rows)};
}

template <class T>
Cost cost(const LayerNormBackward<T>& k) {
    const double elements = static_cast<double>(k.x.size());
    const double rows = static_cast<double>(k.mean.size());
    const double parameters = static_cast<double>(k.dgain.size() + k.dbias.size());
    // Sums 9 and gradient 7 per element, and the chunks' sums.
    return {.model_flops = 0,
            .hardware_flops = (16 + (k.accumulate_dx ? 1 : 0)) * elements +
                              static_cast<double>(chunks_of(k.mean.size())) * parameters,
            .bytes_read = sizeof(T) * ((2 + (k.accumulate_dx ? 1 : 0)) * elements + 2 * rows +
                                       static_cast<double>(k.gain.size()) + (k.accumulate_dparams ? parameters : 0)),
            .bytes_written = sizeof(T) * (elements + parameters)};
}

template <class T>
void run(CpuContext& cpu, const LayerNormForward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(layer_norm_forward)();
    cpu.for_each_range(k.mean.size(), rows_per_piece(k.gain.size()),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const LayerNormBackward<T>& k) {
    const std::size_t width = k.gain.size();
    const std::size_t chunks = chunks_of(k.mean.size());
    T* partial = cpu.scratch_of<T>(chunks * 2 * width);
    const auto piece = HWY_DYNAMIC_DISPATCH(layer_norm_backward)();
    cpu.for_each_range(k.mean.size(), rows_per_chunk,
                       [&](std::size_t begin, std::size_t end) { piece(k, partial, begin, end); });
    run(cpu, ChunkSums<T>{partial, chunks, 2 * width, width, k.dgain.data(), 1, k.accumulate_dparams});
    if (!k.dbias.empty()) {
        run(cpu, ChunkSums<T>{partial + width, chunks, 2 * width, width, k.dbias.data(), 1, k.accumulate_dparams});
    }
}

template Cost cost(const LayerNormForward<float>&);
template Cost cost(const LayerNormForward<double>&);
template Cost cost(const LayerNormBackward<float>&);
template Cost cost(const LayerNormBackward<double>&);
template void run(CpuContext&, const LayerNormForward<float>&);
template void run(CpuContext&, const LayerNormForward<double>&);
template void run(CpuContext&, const LayerNormBackward<float>&);
template void run(CpuContext&, const LayerNormBackward<double>&);

}  // namespace loglog
#endif
