#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "distributed/data_parallel/gradient_slots.hpp"

namespace loglog {

/// Slots that lie next to each other in memory and are summed over ranks as one message.
struct GradientBucket {
    std::size_t first_slot = 0;
    std::size_t slots = 0;
    std::int64_t layer = 0;     ///< the last of its slots is complete once the backward pass has come through this one
    std::span<float> gradient;  ///< of all its slots, with the padding between them
};

/// Whole slots, at most 4 MiB unless one is larger, in the order of `slots`. What becomes complete at the very end of
/// the backward pass has buckets of its own, so that nothing else waits for it.
std::vector<GradientBucket> gradient_buckets(std::span<const GradientSlot> slots);

}  // namespace loglog
