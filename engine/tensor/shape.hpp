#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "engine/base/error.hpp"

namespace loglog {

/// Extents of up to four axes, row-major. Trivially copyable, so that it can live in an arena.
class Shape {
  public:
    static constexpr std::size_t max_rank = 4;

    constexpr Shape() noexcept = default;
    constexpr Shape(std::initializer_list<std::int64_t> extents) {
        LOGLOG_ASSERT(extents.size() <= max_rank);
        for (const auto extent : extents) { extents_[rank_++] = extent; }
    }

    constexpr std::size_t rank() const noexcept { return rank_; }
    constexpr std::int64_t operator[](std::size_t axis) const noexcept { return extents_[axis]; }
    constexpr std::int64_t back() const noexcept { return extents_[rank_ - 1]; }
    constexpr void set_back(std::int64_t extent) noexcept { extents_[rank_ - 1] = extent; }
    /// Product of the extents; 1 for a scalar.
    constexpr std::int64_t elements() const noexcept {
        std::int64_t product = 1;
        for (std::size_t axis = 0; axis < rank_; ++axis) { product *= extents_[axis]; }
        return product;
    }
    /// Product of all extents but the last.
    constexpr std::int64_t rows() const noexcept { return rank_ == 0 || back() == 0 ? 0 : elements() / back(); }

    friend constexpr bool operator==(const Shape&, const Shape&) = default;

  private:
    std::array<std::int64_t, max_rank> extents_{};
    std::size_t rank_ = 0;
};

/// "[8, 128, 512]"
std::string to_string(const Shape& shape);

/// A tensor's shape is not what an operation needs.
class ShapeError : public InputError {
  public:
    ShapeError(const std::string& operation, const std::string& argument, const Shape& actual, const Shape& wanted,
               const std::string& reason);

    const Shape& actual() const noexcept { return actual_; }
    const Shape& wanted() const noexcept { return wanted_; }

  private:
    Shape actual_;
    Shape wanted_;
};

}  // namespace loglog
