#pragma once

#include "engine/autograd/tape.hpp"
#include "engine/kernels/activation.hpp"

namespace loglog {

/// y[i] = activation(x[i]), any shape. Where a linear layer precedes, linear_activated does the same in one pass.
Tensor activate(Tape& tape, const Tensor& x, Activation activation);

/// x [.., 2 width], gate then up -> silu(gate) * up, [.., width] (Shazeer 2020, arXiv:2002.05202). x has no other
/// consumer. Throws ShapeError if the last extent is odd.
Tensor swiglu(Tape& tape, const Tensor& x);

}  // namespace loglog
