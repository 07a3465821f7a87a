#pragma once

#include <cstdint>
#include <span>

#include "engine/autograd/tape.hpp"
#include "engine/tensor/tensor.hpp"

namespace loglog::detail {

/// Throws ShapeError unless `tensor` has the wanted shape.
inline void check_shape(const char* operation, const char* argument, const Tensor& tensor, const Shape& wanted,
                        const char* reason) {
    if (tensor.shape != wanted) { throw ShapeError{operation, argument, tensor.shape, wanted, reason}; }
}

/// `shape` with another last extent.
inline Shape with_last(const Shape& shape, std::int64_t last) {
    Shape result = shape;
    result.set_back(last);
    return result;
}

/// Throws InputError unless every id is in [lowest, vocab).
void check_ids(const Tape& tape, const char* operation, const char* argument, std::span<const std::int32_t> ids,
               std::int64_t lowest, std::int64_t vocab);

}  // namespace loglog::detail
