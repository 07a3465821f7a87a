#pragma once

#include "engine/autograd/tape.hpp"

namespace loglog {

/// Binary cross entropy of sigmoid(z) against `target`, summed: one value, [1].
///
/// z, target  any shape, the same; target in [0, 1] collects no gradient
///
/// Throws ShapeError.
Tensor sigmoid_cross_entropy(Tape& tape, const Tensor& z, const Tensor& target);

}  // namespace loglog
