#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace loglog {

/// float32 trains; float64 exists for gradient checks and oracles.
enum class DType : std::uint8_t { float32, float64 };

constexpr std::size_t size_of(DType dtype) noexcept { return dtype == DType::float32 ? 4 : 8; }
constexpr std::string_view to_string(DType dtype) noexcept { return dtype == DType::float32 ? "float32" : "float64"; }

template <class T>
inline constexpr DType dtype_of = sizeof(T) == 4 ? DType::float32 : DType::float64;

/// Calls `f(T{})` with the C++ type that `dtype` names.
template <class F>
decltype(auto) with_dtype(DType dtype, F&& f) {
    return dtype == DType::float32 ? f(float{}) : f(double{});
}

}  // namespace loglog
