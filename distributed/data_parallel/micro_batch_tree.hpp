#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "distributed/data_parallel/gradient_slots.hpp"
#include "engine/tensor/storage.hpp"

namespace loglog {

/// Adds the gradients of a step's micro-batches up as a binary tree over their indices, with one buffer per level: two
/// sums of neighbours that span equally many micro-batches become one (lower + higher). Ranks that each have a power
/// of two of micro-batches, and whose own sum goes on as the same tree, therefore give the same bits however many they
/// are.
class MicroBatchTree {
  public:
    /// No buffer is needed for one micro-batch.
    MicroBatchTree(std::span<const GradientSlot> slots, int micro_batches);

    /// Before the first micro-batch of a step, for slot number `index`.
    void begin(std::size_t index, const GradientSlot& slot) const noexcept { collect(index, slot, 0); }
    /// Takes that slot's complete gradient of `micro_batch`, which follows that of micro_batch - 1. After the last one
    /// slot.values holds the sum; after the others the slot collects the next one's, written anew.
    void fold(Context& context, std::size_t index, const GradientSlot& slot, int micro_batch);

    std::size_t bytes() const noexcept;

  private:
    void collect(std::size_t index, const GradientSlot& slot, int micro_batch) const noexcept;
    std::span<float> buffer(std::size_t level, std::size_t index, const GradientSlot& slot) const noexcept {
        return {reinterpret_cast<float*>(levels_[level].data()) + offsets_[index], slot.values.size()};
    }
    bool is_last(int micro_batch) const noexcept { return micro_batch + 1 == micro_batches_; }

    int micro_batches_;
    std::vector<std::size_t> offsets_;  // [slots], values
    std::vector<Storage> levels_;
    std::vector<const float*> parts_;  // of the sum that is being taken
};

}  // namespace loglog
