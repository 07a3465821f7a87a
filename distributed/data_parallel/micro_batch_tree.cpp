#include "distributed/data_parallel/micro_batch_tree.hpp"

#include "engine/kernels/elementwise.hpp"

namespace loglog {

MicroBatchTree::MicroBatchTree(std::span<const GradientSlot> slots, int micro_batches) : micro_batches_{micro_batches} {
    std::size_t values = 0;
    for (const auto& slot : slots) {
        offsets_.push_back(values);
        values += (slot.values.size() + 15) / 16 * 16;
    }
    for (auto last = static_cast<unsigned>(micro_batches - 1); last != 0; last /= 2) {
        levels_.emplace_back(Backing::memory, values * sizeof(float));
    }
}

// A micro-batch that starts a pair is collected where the sum over it alone belongs: nothing needs to be copied.
void MicroBatchTree::collect(std::size_t index, const GradientSlot& slot, int micro_batch) const noexcept {
    const bool starts_pair = micro_batch % 2 == 0 && !is_last(micro_batch);
    slot.collect_in(starts_pair ? buffer(0, index, slot) : slot.values);
}

void MicroBatchTree::fold(Context& context, std::size_t index, const GradientSlot& slot, int micro_batch) {
    const auto before = static_cast<unsigned>(micro_batch);  // its set bits are the levels that hold a sum
    parts_.clear();
    std::size_t level = 0;
    for (; (before >> level) != 0; ++level) {
        const bool holds_sum = ((before >> level) & 1) != 0;
        if (!holds_sum && !is_last(micro_batch)) { break; }
        if (holds_sum) { parts_.push_back(buffer(level, index, slot).data()); }
    }
    const auto sum = is_last(micro_batch) ? slot.values : buffer(level, index, slot);
    if (!parts_.empty()) { launch(context, ChainSum<float>{slot.collected(), parts_, sum}); }
    if (!is_last(micro_batch)) { collect(index, slot, micro_batch + 1); }
}

std::size_t MicroBatchTree::bytes() const noexcept {
    std::size_t total = 0;
    for (const auto& level : levels_) { total += level.bytes(); }
    return total;
}

}  // namespace loglog
