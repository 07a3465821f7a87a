#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace loglog {

/// Fills `window` (context + 1 tokens) with what is trained at `position` of the data order.
using WindowSource = std::function<void(std::uint64_t position, std::span<std::int32_t> window)>;

}  // namespace loglog
