#pragma once

#include <cstddef>
#include <span>

#include "engine/tensor/dtype.hpp"
#include "engine/tensor/shape.hpp"

namespace loglog {

/// Where the gradient of one tensor is collected. `data` stays null until somebody needs it; the first contribution
/// overwrites, the following ones add (`written`).
struct Gradient {
    std::byte* data = nullptr;
    bool written = false;
};

/// A view of row-major values owned elsewhere (an arena, a parameter store), with the place of its gradient if it has
/// one. Trivially copyable: ops capture tensors by value in closures that live in an arena.
struct Tensor {
    std::byte* data = nullptr;
    Shape shape;
    DType dtype = DType::float32;
    Gradient* gradient = nullptr;  ///< null: nothing flows back into this tensor

    bool needs_gradient() const noexcept { return gradient != nullptr; }
    std::size_t elements() const noexcept { return static_cast<std::size_t>(shape.elements()); }
    std::size_t bytes() const noexcept { return elements() * size_of(dtype); }

    /// The values as `T`, which must be what `dtype` says; empty without data.
    template <class T>
    std::span<T> values() const noexcept {
        LOGLOG_ASSERT(data == nullptr || dtype_of<T> == dtype);
        return {reinterpret_cast<T*>(data), data == nullptr ? 0 : elements()};
    }
};

}  // namespace loglog
