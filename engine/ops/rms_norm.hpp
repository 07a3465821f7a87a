#pragma once

#include "engine/autograd/tape.hpp"
#include "engine/ops/heads.hpp"

namespace loglog {

/// Scales each row of `x` to unit root mean square, then by `gain`: y[i] = gain[i] * x[i] / sqrt(mean(x^2) + epsilon).
///
/// x        [.., width]
/// gain     [width]
/// returns  x's shape; the tape keeps 1 / rms, one per row
///
/// Throws ShapeError. Zhang and Sennrich 2019, arXiv:1910.07467, sec. 4; `epsilon` guards an all-zero row.
Tensor rms_norm(Tape& tape, const Tensor& x, const Tensor& gain, double epsilon);

/// rms_norm of every head by itself (qk-norm), from x's columns into y's, which the caller provides; gain [head_dim].
void head_norm(Tape& tape, const Heads& x, const Tensor& gain, double epsilon, const Heads& y);

}  // namespace loglog
