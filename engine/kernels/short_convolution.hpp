#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/kernels/context.hpp"

namespace loglog {

inline constexpr std::size_t most_convolution_taps = 8;

struct ShortConvolutionSizes {
    std::size_t rows = 0;  ///< sequences * time
    std::size_t time = 0;  ///< tokens per sequence
    std::size_t channels = 0;
    std::size_t taps = 0;  ///< 1 to most_convolution_taps
};

/// y_t = silu(z_t), z_t = sum_i weight[c, taps - 1 - i] x_{t - i} over the tokens of t's document, a channel by itself:
/// the short convolution of Mamba, DeltaNet and Gated DeltaNet (arXiv:2406.06484, sec. 3.3).
template <class T>
struct ShortConvolutionForward {
    ShortConvolutionSizes sizes;
    std::span<const T> x;                          // [rows, channels]
    std::span<const T> weight;                     // [channels, taps]
    std::span<const std::int32_t> document_start;  // [rows]: place in the sequence, or empty: one document a sequence
    std::span<T> y;                                // [rows, channels]
};

/// z is computed again. The weight's gradient is added up in chunks of rows_per_chunk rows.
template <class T>
struct ShortConvolutionBackward {
    ShortConvolutionSizes sizes;
    std::span<const T> x;
    std::span<const T> weight;
    std::span<const std::int32_t> document_start;
    std::span<const T> dy;
    std::span<T> dx;       // [rows, channels], or empty
    std::span<T> dweight;  // [channels, taps], or empty
    bool accumulate_dx = false;
    bool accumulate_dweight = false;
};

/// One token of one sequence.
template <class T>
struct ShortConvolutionStep {
    std::size_t channels;
    std::size_t taps;
    std::span<const T> x;       // [channels]
    std::span<const T> weight;  // [channels, taps]
    std::span<T> past;          // [taps - 1, channels], the oldest first; brought up to date
    std::span<T> y;             // [channels]
};

/// Neither a product of matrices nor mixing of the kind that model FLOPs count (a fixed handful of taps, as elementwise
/// work is): model FLOPs are 0.
template <class T>
Cost cost(const ShortConvolutionForward<T>&);
template <class T>
Cost cost(const ShortConvolutionBackward<T>&);
template <class T>
Cost cost(const ShortConvolutionStep<T>&);
template <class T>
void run(CpuContext&, const ShortConvolutionForward<T>&);
template <class T>
void run(CpuContext&, const ShortConvolutionBackward<T>&);
template <class T>
void run(CpuContext&, const ShortConvolutionStep<T>&);

}  // namespace loglog
