#pragma once

#include <cstdint>

namespace loglog {

/// fast: sums in whatever order is fastest, the same on every member. tree: sums of neighbouring ranks, pair by pair,
/// level by level, lower rank + higher rank, so that bits do not depend on how many ranks a sum is spread over.
enum class Reduction : std::uint8_t { fast, tree };

}  // namespace loglog
