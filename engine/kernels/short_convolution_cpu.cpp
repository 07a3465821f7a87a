#include "engine/kernels/short_convolution.hpp"

#include <algorithm>

#include "engine/kernels/chunk_sums.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/short_convolution_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_math-inl.hpp"
#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {
namespace convolution {

/// Channels done together: their weights and a chunk's gradients stay in the first-level cache.
inline constexpr std::size_t channel_block = 64;
/// Rows that one chunk's gradients come from: its own and those whose taps reach back into it.
inline constexpr std::size_t most_rows = rows_per_chunk + most_convolution_taps - 1;

/// The weights of channels [first, first + channels), tap by tap: [i] weighs the token i places back.
template <class T>
struct WeightBlock {
    HWY_ALIGN T taps[most_convolution_taps][channel_block];

    template <class Kernel>
    WeightBlock(const Kernel& k, std::size_t count, std::size_t first, std::size_t channels) {
        for (std::size_t i = 0; i < count; ++i) {
            for (std::size_t c = 0; c < channel_block; ++c) {
                taps[i][c] = c < channels ? k.weight[(first + c) * count + count - 1 - i] : T{0};
            }
        }
    }
};

/// Tokens of the row's document before it, as far as the taps reach.
template <class Kernel>
HWY_INLINE std::size_t reach_back(const Kernel& k, std::size_t row) {
    const std::size_t start = k.document_start.empty() ? 0 : static_cast<std::size_t>(k.document_start[row]);
    return std::min(k.sizes.taps - 1, row % k.sizes.time - start);
}

/// z of a vector of channels from `c` of the block on; `x` is the row's block.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> convolve(D d, const WeightBlock<T>& weight, const T* x, std::size_t stride, std::size_t c,
                               std::size_t back, std::size_t count) {
    auto z = hn::Mul(hn::Load(d, weight.taps[0] + c), load_first(d, x + c, count));
    for (std::size_t i = 1; i <= back; ++i) {
        z = hn::MulAdd(hn::Load(d, weight.taps[i] + c), load_first(d, x + c - i * stride, count), z);
    }
    return z;
}

template <class T>
void forward_rows(const ShortConvolutionForward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const std::size_t width = k.sizes.channels;
    for (std::size_t first = 0; first < width; first += channel_block) {
        const std::size_t channels = std::min(channel_block, width - first);
        const WeightBlock<T> weight{k, k.sizes.taps, first, channels};
        for (std::size_t row = begin; row < end; ++row) {
            const std::size_t back = reach_back(k, row);
            const std::size_t at = row * width + first;
            for (std::size_t c = 0; c < channels; c += hn::Lanes(d)) {
                const auto z = convolve(d, weight, k.x.data() + at, width, c, back, channels - c);
                store_first(hn::Mul(z, vector_sigmoid(d, z)), d, k.y.data() + at + c, channels - c);
            }
        }
    }
}

/// A chunk's rows for a block of channels.
template <class T>
struct BackwardBlock {
    const ShortConvolutionBackward<T>* k;
    std::size_t begin;
    std::size_t rows;      // of the chunk
    std::size_t all_rows;  // and of those after it that reach back into it
    std::size_t first;     // channel
    std::size_t channels;
    unsigned char back[most_rows];
    HWY_ALIGN T dz[most_rows][channel_block];

    std::size_t at(std::size_t row) const { return (begin + row) * k->sizes.channels + first; }
};

// dz = dy (s + z s (1 - s)) with s = sigmoid(z).
template <class T>
void find_dz(BackwardBlock<T>& b, const WeightBlock<T>& weight) {
    const hn::ScalableTag<T> d;
    const auto one = hn::Set(d, T{1});
    for (std::size_t row = 0; row < b.all_rows; ++row) {
        const T* x = b.k->x.data() + b.at(row);
        const T* dy = b.k->dy.data() + b.at(row);
        for (std::size_t c = 0; c < b.channels; c += hn::Lanes(d)) {
            const auto z = convolve(d, weight, x, b.k->sizes.channels, c, b.back[row], b.channels - c);
            const auto s = vector_sigmoid(d, z);
            const auto slope = hn::MulAdd(hn::Mul(z, s), hn::Sub(one, s), s);
            hn::Store(hn::Mul(slope, load_first(d, dy + c, b.channels - c)), d, b.dz[row] + c);
        }
    }
}

template <class T>
void find_dx(const BackwardBlock<T>& b, const WeightBlock<T>& weight) {
    const hn::ScalableTag<T> d;
    for (std::size_t row = 0; row < b.rows; ++row) {
        T* dx = b.k->dx.data() + b.at(row);
        std::size_t ahead = 0;
        while (row + ahead + 1 < b.all_rows && b.back[row + ahead + 1] > ahead) { ++ahead; }
        for (std::size_t c = 0; c < b.channels; c += hn::Lanes(d)) {
            auto sum = b.k->accumulate_dx ? load_first(d, dx + c, b.channels - c) : hn::Zero(d);
            for (std::size_t i = 0; i <= ahead; ++i) {
                sum = hn::MulAdd(hn::Load(d, weight.taps[i] + c), hn::Load(d, b.dz[row + i] + c), sum);
            }
            store_first(sum, d, dx + c, b.channels - c);
        }
    }
}

/// The chunk's part of the weight's gradient, in the weight's own order.
template <class T>
void find_dweight(const BackwardBlock<T>& b, T* dweight) {
    const hn::ScalableTag<T> d;
    const std::size_t taps = b.k->sizes.taps;
    HWY_ALIGN T lanes[hn::MaxLanes(d)];
    for (std::size_t c = 0; c < b.channels; c += hn::Lanes(d)) {
        const std::size_t count = std::min(hn::Lanes(d), b.channels - c);
        for (std::size_t i = 0; i < taps; ++i) {
            auto sum = hn::Zero(d);
            for (std::size_t row = 0; row < b.rows; ++row) {
                if (b.back[row] < i) { continue; }
                const T* x = b.k->x.data() + b.at(row) - i * b.k->sizes.channels;
                sum = hn::MulAdd(hn::Load(d, b.dz[row] + c), load_first(d, x + c, count), sum);
            }
            hn::Store(sum, d, lanes);
            for (std::size_t l = 0; l < count; ++l) { dweight[(b.first + c + l) * taps + taps - 1 - i] = lanes[l]; }
        }
    }
}

template <class T>
void backward_chunk(const ShortConvolutionBackward<T>& k, T* partial, std::size_t begin, std::size_t end) {
    const auto& s = k.sizes;
    BackwardBlock<T> b;
    b.k = &k;
    b.begin = begin;
    b.rows = end - begin;
    b.all_rows = std::min(s.rows, end + s.taps - 1) - begin;
    for (std::size_t row = 0; row < b.all_rows; ++row) {
        b.back[row] = static_cast<unsigned char>(reach_back(k, begin + row));
    }
    for (b.first = 0; b.first < s.channels; b.first += channel_block) {
        b.channels = std::min(channel_block, s.channels - b.first);
        const WeightBlock<T> weight{k, s.taps, b.first, b.channels};
        find_dz(b, weight);
        if (!k.dx.empty()) { find_dx(b, weight); }
        if (!k.dweight.empty()) { find_dweight(b, partial + begin / rows_per_chunk * s.channels * s.taps); }
    }
}

template <class T>
void step_channels(const ShortConvolutionStep<T>& k, std::size_t begin, std::size_t end) {
    for (std::size_t c = begin; c < end; ++c) {
        T z = k.weight[c * k.taps + k.taps - 1] * k.x[c];
        for (std::size_t i = 0; i + 1 < k.taps; ++i) {
            z += k.weight[c * k.taps + i] * k.past[i * k.channels + c];
            k.past[i * k.channels + c] = i + 2 < k.taps ? k.past[(i + 1) * k.channels + c] : k.x[c];
        }
        k.y[c] = z;
    }
    const hn::ScalableTag<T> d;
    for (std::size_t c = begin; c < end; c += hn::Lanes(d)) {
        const auto z = load_first(d, k.y.data() + c, end - c);
        store_first(hn::Mul(z, vector_sigmoid(d, z)), d, k.y.data() + c, end - c);
    }
}

}  // namespace convolution

Pieces<ShortConvolutionForward> short_convolution_forward() {
    return {convolution::forward_rows<float>, convolution::forward_rows<double>};
}
ChunkPieces<ShortConvolutionBackward> short_convolution_backward() {
    return {convolution::backward_chunk<float>, convolution::backward_chunk<double>};
}
Pieces<ShortConvolutionStep> short_convolution_step() {
    return {convolution::step_channels<float>, convolution::step_channels<double>};
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(short_convolution_forward);
HWY_EXPORT(short_convolution_backward);
HWY_EXPORT(short_convolution_step);

template <class T>
Cost cost(const ShortConvolutionForward<T>& k) {
    const double elements = static_cast<double>(k.sizes.rows * k.sizes.channels);
    const double taps = static_cast<double>(k.sizes.taps);
    return {.model_flops = 0,
            .hardware_flops = elements * (2 * taps + 4),
            .bytes_read = sizeof(T) * (elements + taps * static_cast<double>(k.sizes.channels)),
            .bytes_written = sizeof(T) * elements};
}

template <class T>
Cost cost(const ShortConvolutionBackward<T>& k) {
    const double elements = static_cast<double>(k.sizes.rows * k.sizes.channels);
    const double taps = static_cast<double>(k.sizes.taps);
    const double weights = taps * static_cast<double>(k.sizes.channels);
    const double dx = k.dx.empty() ? 0 : 1;
    const double dweight = k.dweight.empty() ? 0 : 1;
    const double chunks = static_cast<double>(chunks_of(k.sizes.rows));
    return {.model_flops = 0,
            .hardware_flops = elements * (2 * taps * (1 + dx + dweight) + 8) + dweight * chunks * weights,
            .bytes_read = sizeof(T) * (elements * (2 + (k.accumulate_dx ? dx : 0)) +
                                       weights * (1 + (k.accumulate_dweight ? dweight : 0))),
            .bytes_written = sizeof(T) * (dx * elements + dweight * weights)};
}

template <class T>
Cost cost(const ShortConvolutionStep<T>& k) {
    const double channels = static_cast<double>(k.channels);
    const double taps = static_cast<double>(k.taps);
    return {.model_flops = 0,
            .hardware_flops = channels * (2 * taps + 4),
            .bytes_read = sizeof(T) * channels * 2 * taps,
            .bytes_written = sizeof(T) * channels * taps};
}

template <class T>
void run(CpuContext& cpu, const ShortConvolutionForward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(short_convolution_forward)();
    // Many rows to a piece: each gathers the weights anew.
    cpu.for_each_range(k.sizes.rows, rows_per_chunk, [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const ShortConvolutionBackward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(short_convolution_backward)();
    const std::size_t width = k.sizes.channels * k.sizes.taps;
    const std::size_t chunks = chunks_of(k.sizes.rows);
    T* partial = k.dweight.empty() ? nullptr : cpu.scratch_of<T>(chunks * width);
    cpu.for_each_range(k.sizes.rows, rows_per_chunk,
                       [&](std::size_t begin, std::size_t end) { piece(k, partial, begin, end); });
    if (!k.dweight.empty()) {
        run(cpu, ChunkSums<T>{partial, chunks, width, width, k.dweight.data(), T{1}, k.accumulate_dweight});
    }
}

template <class T>
void run(CpuContext& cpu, const ShortConvolutionStep<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(short_convolution_step)();
    cpu.for_each_range(k.channels, elements_per_piece,
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template Cost cost(const ShortConvolutionForward<float>&);
template Cost cost(const ShortConvolutionForward<double>&);
template Cost cost(const ShortConvolutionBackward<float>&);
template Cost cost(const ShortConvolutionBackward<double>&);
template Cost cost(const ShortConvolutionStep<float>&);
template Cost cost(const ShortConvolutionStep<double>&);
template void run(CpuContext&, const ShortConvolutionForward<float>&);
template void run(CpuContext&, const ShortConvolutionForward<double>&);
template void run(CpuContext&, const ShortConvolutionBackward<float>&);
template void run(CpuContext&, const ShortConvolutionBackward<double>&);
template void run(CpuContext&, const ShortConvolutionStep<float>&);
template void run(CpuContext&, const ShortConvolutionStep<double>&);

}  // namespace loglog
#endif
