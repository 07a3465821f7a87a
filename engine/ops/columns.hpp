#pragma once

#include <cstdint>

#include "engine/autograd/tape.hpp"

namespace loglog {

/// Columns [first, first + count) of x as a tensor of their own, [rows, count]. Each column of x has exactly one
/// consumer that gives it a gradient. Throws ShapeError.
Tensor take_columns(Tape& tape, const Tensor& x, std::int64_t first, std::int64_t count);

/// A product for each leaf by itself: y's columns of leaf l = x's columns of leaf l * (weight's rows of leaf l)^T.
///
/// x        [rows, leaves * in]
/// weight   [leaves * out, in]
/// returns  [rows, leaves * out]
///
/// Throws ShapeError.
Tensor leafwise_linear(Tape& tape, const Tensor& x, const Tensor& weight, std::int64_t leaves);

}  // namespace loglog
