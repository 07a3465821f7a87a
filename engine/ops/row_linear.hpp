#pragma once

#include "engine/autograd/tape.hpp"
#include "engine/ops/leaf_cut.hpp"
#include "engine/ops/linear.hpp"

namespace loglog {

/// The sum over leaves of x_leaf weight_leaf^T: what every rank gets is whole (or its part of the rows).
///
/// x        [rows, in]: the local leaves' input features side by side
/// weight   [out, in]: their columns
/// returns  [rows, out], or [rows / ranks, out] with cut.scatter_rows
///
/// The bias is added once, afterwards: bias_residual.
Tensor row_linear(Tape& tape, const Tensor& x, const Tensor& weight, const RowCut& cut);
Tensor row_linear(Tape& tape, const Activated& x, const Tensor& weight, const RowCut& cut);

/// residual + scale * (x + bias), [rows, width]; bias [width] and residual may be absent (without data).
Tensor bias_residual(Tape& tape, const Tensor& x, const Tensor& bias, const Tensor& residual, double scale);

/// The members' rows one after the other: [rows, width] -> [ranks * rows, width] (forward all-gather, backward
/// reduce-scatter). The gradient that reaches the result on each rank may be partial: the backward pass sums it.
Tensor gather_rows(Tape& tape, const Tensor& x, Group& group);

}  // namespace loglog
