#pragma once

#include <cstdint>

#include "engine/base/random.hpp"

namespace loglog {

/// A keyed permutation of [0, size): position -> element, in constant time and memory for any position.
///
/// A six-round Feistel network on the smallest even-bit domain that holds `size`, walked until the value falls inside
/// ("cycle walking", Black and Rogaway 2002, "Ciphers with arbitrary finite domains"); under four walks on average.
class KeyedPermutation {
  public:
    /// `size` > 0; `group` distinguishes, e.g., epochs of one seed.
    KeyedPermutation(std::uint64_t size, Seed seed, Stream stream, std::uint64_t group) noexcept;

    /// position in [0, size) -> element in [0, size), a bijection.
    std::uint64_t operator()(std::uint64_t position) const noexcept;
    std::uint64_t size() const noexcept { return size_; }

  private:
    std::uint64_t encrypt(std::uint64_t value) const noexcept;

    std::uint64_t size_;
    unsigned half_bits_;
    Random random_;
};

}  // namespace loglog
