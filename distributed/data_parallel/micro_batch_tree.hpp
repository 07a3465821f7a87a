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

    /// Takes slot number `index`'s complete gradient of `micro_batch`, which follows that of micro_batch - 1. After
    /// the last one the slot holds the sum; after the others its values are free, to be written anew.
    void fold(Context& context, std::size_t index, const GradientSlot& slot, int micro_batch);

    std::size_t bytes() const noexcept;

  private:
    std::span<float> buffer(std::size_t level, std::size_t index, std::size_t size) const noexcept;

    int micro_batches_;
    std::vector<std::size_t> offsets_;  // [slots], values
    std::vector<Storage> levels_;
};

}  // namespace loglog
