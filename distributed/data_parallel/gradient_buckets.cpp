#include "distributed/data_parallel/gradient_buckets.hpp"

#include <algorithm>

namespace loglog {
namespace {

constexpr std::size_t most_values = (std::size_t{4} << 20) / sizeof(float);
constexpr std::ptrdiff_t most_padding = 64 / sizeof(float);

// Slots come in descending order of addresses, but for a second use, which lies in another block.
bool fits(const GradientBucket& bucket, const GradientSlot& last, const GradientSlot& slot) {
    if (slot.second_use != last.second_use || (slot.layer < 0) != (last.layer < 0)) { return false; }
    const auto gap = bucket.gradient.data() - (slot.values.data() + slot.values.size());
    return gap >= 0 && gap < most_padding && bucket.gradient.size() + slot.values.size() <= most_values;
}

}  // namespace

std::vector<GradientBucket> gradient_buckets(std::span<const GradientSlot> slots) {
    std::vector<GradientBucket> buckets;
    for (std::size_t index = 0; index < slots.size(); ++index) {
        const auto& slot = slots[index];
        if (index > 0 && fits(buckets.back(), slots[index - 1], slot)) {
            auto& bucket = buckets.back();
            const auto* end = bucket.gradient.data() + bucket.gradient.size();
            bucket.gradient = {slot.values.data(), static_cast<std::size_t>(end - slot.values.data())};
            bucket.layer = std::min(bucket.layer, slot.layer);
            ++bucket.slots;
        } else {
            buckets.push_back({.first_slot = index, .slots = 1, .layer = slot.layer, .gradient = slot.values});
        }
    }
    return buckets;
}

}  // namespace loglog
