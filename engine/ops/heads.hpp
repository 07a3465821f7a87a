#pragma once

#include <cstdint>

#include "engine/kernels/attention.hpp"
#include "engine/tensor/tensor.hpp"

namespace loglog {

/// `heads` heads side by side inside the rows of a tensor, from `first_column` on. As the columns of a fused projection
/// are read by different ops, each column has exactly one consumer that gives it a gradient.
struct Heads {
    Tensor rows;  ///< [tokens, columns]
    std::int64_t first_column = 0;
    std::int64_t heads = 0;

    std::size_t stride() const noexcept { return static_cast<std::size_t>(rows.shape.back()); }
    template <class T>
    HeadsView<T> view() const noexcept {
        return {reinterpret_cast<T*>(rows.data) + first_column, stride()};
    }
    /// The same place in the gradient that starts at `gradient`.
    template <class T>
    HeadsView<T> view_of(T* gradient) const noexcept {
        return {gradient + first_column, stride()};
    }
};

}  // namespace loglog
