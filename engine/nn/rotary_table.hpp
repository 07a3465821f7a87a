#pragma once

#include <cstdint>

#include "engine/tensor/storage.hpp"
#include "engine/tensor/tensor.hpp"

namespace loglog {

/// cos and sin of p * base^(-2i / head_dim) for positions p < context and i < head_dim / 2.
class RotaryTable {
  public:
    RotaryTable() noexcept = default;
    RotaryTable(std::int64_t context, std::int64_t head_dim, double base, DType dtype, Backing backing);

    explicit operator bool() const noexcept { return storage_.data() != nullptr; }
    const Tensor& cosine() const noexcept { return cosine_; }  ///< [context, head_dim / 2]
    const Tensor& sine() const noexcept { return sine_; }      ///< [context, head_dim / 2]

  private:
    Storage storage_;
    Tensor cosine_;
    Tensor sine_;
};

}  // namespace loglog
