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

std::span<float> MicroBatchTree::buffer(std::size_t level, std::size_t index, std::size_t size) const noexcept {
    return {reinterpret_cast<float*>(levels_[level].data()) + offsets_[index], size};
}

void MicroBatchTree::fold(Context& context, std::size_t index, const GradientSlot& slot, int micro_batch) {
    const auto before = static_cast<unsigned>(micro_batch);  // its set bits are the levels that hold a sum
    const bool is_last = micro_batch + 1 == micro_batches_;
    std::size_t level = 0;
    for (; (before >> level) != 0; ++level) {
        const bool holds_sum = ((before >> level) & 1) != 0;
        if (!holds_sum && !is_last) { break; }
        if (holds_sum) {
            launch(context, Scale<float>{buffer(level, index, slot.values.size()), slot.values, 1.0f, true});
        }
    }
    if (is_last) { return; }
    launch(context, Scale<float>{slot.values, buffer(level, index, slot.values.size())});
    restart(slot);
}

std::size_t MicroBatchTree::bytes() const noexcept {
    std::size_t total = 0;
    for (const auto& level : levels_) { total += level.bytes(); }
    return total;
}

}  // namespace loglog
