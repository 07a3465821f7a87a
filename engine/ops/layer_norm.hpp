#pragma once

#include "engine/autograd/tape.hpp"

namespace loglog {

/// y = gain * (x - mean(x)) / sqrt(var(x) + epsilon) + bias over the last axis.
///
/// x        [.., width]
/// gain     [width]; bias [width] or without data
/// returns  x's shape; the tape keeps mean and 1 / sqrt(var + epsilon), one of each per row
///
/// Throws ShapeError. Ba et al. 2016, arXiv:1607.06450.
Tensor layer_norm(Tape& tape, const Tensor& x, const Tensor& gain, const Tensor& bias, double epsilon);

}  // namespace loglog
