#pragma once

#include <cstddef>
#include <utility>

#include "engine/tensor/arena.hpp"

namespace loglog {

/// Owns one block of page-aligned memory, zero at first. With Backing::address_space the addresses exist but must not
/// be touched.
class Storage {
  public:
    Storage() noexcept = default;
    /// Throws Error when the system has no more memory.
    Storage(Backing backing, std::size_t bytes);
    Storage(Storage&& other) noexcept
        : data_{std::exchange(other.data_, nullptr)}, bytes_{std::exchange(other.bytes_, 0)} {}
    Storage& operator=(Storage&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    Storage(const Storage&) = delete;
    Storage& operator=(const Storage&) = delete;
    ~Storage();

    std::byte* data() const noexcept { return data_; }
    std::size_t bytes() const noexcept { return bytes_; }

  private:
    std::byte* data_ = nullptr;
    std::size_t bytes_ = 0;
};

}  // namespace loglog
