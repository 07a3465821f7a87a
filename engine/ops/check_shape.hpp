#pragma once

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

}  // namespace loglog::detail
