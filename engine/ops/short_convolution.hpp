#pragma once

#include <cstdint>
#include <span>

#include "engine/autograd/tape.hpp"
#include "engine/ops/heads.hpp"

namespace loglog {

struct ShortConvolutionOptions {
    std::int64_t time = 0;  ///< tokens per sequence
    std::span<const std::int32_t> document_start =
        {};  ///< as in LinearAttentionOptions: taps do not reach further back
};

/// A causal convolution of each channel by itself, then SiLU: y_t = silu(sum_i weight[c, taps - 1 - i] x_{t - i}).
///
/// x        [rows, channels]
/// weight   [channels, taps], taps from 1 to 8; the last one weighs the token itself
/// returns  [rows, channels]
///
/// Throws ShapeError. The short convolution of Mamba, DeltaNet and Gated DeltaNet (arXiv:2406.06484, sec. 3.3).
Tensor short_convolution(Tape& tape, const Tensor& x, const Tensor& weight, const ShortConvolutionOptions& options);

/// One token of one sequence; `past` [taps - 1, channels] holds the tokens before it, oldest first (zeros before the
/// first), and is brought up to date. Not recorded.
Tensor short_convolution_step(Tape& tape, const Tensor& x, const Tensor& weight, const Tensor& past);

}  // namespace loglog
