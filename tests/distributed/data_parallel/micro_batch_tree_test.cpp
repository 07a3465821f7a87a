#include "distributed/data_parallel/micro_batch_tree.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/base/random.hpp"

namespace loglog {
namespace {

constexpr std::size_t values = 37;

std::vector<float> gradient_of(std::size_t micro_batch) {
    const Random random{Seed{3}, Stream::synthetic_data};
    std::vector<float> result;
    for (std::size_t i = 0; i < values; ++i) {
        result.push_back(static_cast<float>(random.normal(micro_batch * values + i)));
    }
    return result;
}

// Sums of neighbours, level by level; what is left over joins from the right.
std::vector<float> sum_as_tree(std::size_t first, std::size_t count) {
    if (count == 1) { return gradient_of(first); }
    std::size_t left = 1;
    while (2 * left < count) { left *= 2; }
    auto sum = sum_as_tree(first, left);
    const auto right = sum_as_tree(first + left, count - left);
    for (std::size_t i = 0; i < values; ++i) { sum[i] += right[i]; }
    return sum;
}

std::vector<float> folded(int micro_batches, std::size_t first = 0) {
    Context context{CpuContext{1}};
    std::vector<float> memory(values);
    Gradient state;
    GradientSlot slot;
    slot.values = memory;
    slot.states = {&state};
    MicroBatchTree tree{std::span{&slot, 1}, micro_batches};
    for (int step = 0; step < 2; ++step) {  // the second must not see what the first left
        tree.begin(0, slot);
        for (int m = 0; m < micro_batches; ++m) {
            std::ranges::copy(gradient_of(first + static_cast<std::size_t>(m)), slot.collected().begin());
            state.written = true;
            tree.fold(context, 0, slot, m);
            EXPECT_EQ(state.written, m + 1 == micro_batches);
        }
    }
    return memory;
}

TEST(MicroBatchTree, AddsNeighboursLevelByLevel) {
    for (const int micro_batches : {1, 2, 3, 4, 5, 6, 7, 8, 16}) {
        EXPECT_EQ(folded(micro_batches), sum_as_tree(0, static_cast<std::size_t>(micro_batches))) << micro_batches;
    }
}

TEST(MicroBatchTree, OfHalvesGoesOnAsTheTreeOfTheWhole) {
    auto lower = folded(4, 0);
    const auto upper = folded(4, 4);
    for (std::size_t i = 0; i < values; ++i) { lower[i] += upper[i]; }

    EXPECT_EQ(lower, folded(8));
}

TEST(MicroBatchTree, HasALevelForEachDoubling) {
    std::vector<float> memory(values);
    GradientSlot slot;
    slot.values = memory;
    constexpr std::size_t level = 48 * sizeof(float);  // 37 values and their padding

    EXPECT_EQ((MicroBatchTree{std::span{&slot, 1}, 1}.bytes()), 0u);
    EXPECT_EQ((MicroBatchTree{std::span{&slot, 1}, 2}.bytes()), level);
    EXPECT_EQ((MicroBatchTree{std::span{&slot, 1}, 8}.bytes()), 3 * level);
}

}  // namespace
}  // namespace loglog
