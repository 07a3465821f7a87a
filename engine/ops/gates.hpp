#pragma once

#include "engine/autograd/tape.hpp"
#include "engine/ops/heads.hpp"

namespace loglog {

/// The decay of Mamba-2 and Gated DeltaNet: g[t, h] = -exp(log_rate[h]) * softplus(x[t, h] + offset[h]).
///
/// x         [rows, heads]
/// log_rate  [heads] (A_log), offset [heads] (dt_bias)
/// returns   [rows, heads], below 0
///
/// Throws ShapeError. Dao and Gu 2024, arXiv:2405.21060.
Tensor decay_gate(Tape& tape, const Tensor& x, const Tensor& log_rate, const Tensor& offset);

/// logsigmoid(x + bias) / divisor, below 0: the decay of gated linear attention (arXiv:2312.06635, divisor 16).
/// x [rows, columns], bias [columns] or no data. Throws ShapeError.
Tensor log_sigmoid_gate(Tape& tape, const Tensor& x, const Tensor& bias, double divisor);

/// scale * sigmoid(x), elementwise.
Tensor sigmoid(Tape& tape, const Tensor& x, double scale = 1);

/// y * sigmoid(x), elementwise: an output gate. Same shapes. Throws ShapeError.
Tensor gated(Tape& tape, const Tensor& y, const Tensor& x);

/// SiLU of every channel of the heads, into y's columns, which the caller provides.
void head_silu(Tape& tape, const Heads& x, std::int64_t head_dim, const Heads& y);

}  // namespace loglog
