#include "distributed/data_parallel/gradient_buckets.hpp"

#include <gmock/gmock.h>

#include "tests/support/decoder_case.hpp"

namespace loglog {
namespace {

TEST(GradientSlots, ComeInTheOrderOfTheBackwardPass) {
    Decoder model{testing::tiny_config()};
    auto& parameters = model.parameters();
    const auto slots = gradient_slots(model);

    ASSERT_EQ(slots.size(), parameters.size() + 1);
    EXPECT_TRUE(slots.front().second_use);
    EXPECT_EQ(parameters.spec(slots.front().parameter).name, "token_embedding");
    EXPECT_EQ(parameters.spec(slots.back().parameter).name, "token_embedding");
    EXPECT_FALSE(slots.back().second_use);
    std::int64_t layer = model.config().layers - 1;
    for (const auto& slot : slots) {
        EXPECT_LE(slot.layer, layer);
        layer = slot.layer;
        EXPECT_EQ(slot.collected().data(), slot.values.data());
    }
    EXPECT_EQ(layer, -1);
}

TEST(GradientSlots, OfAStageAreThoseOfItsLayersAndEnds) {
    const auto config = testing::tiny_config();
    Decoder last{config,
                 Purpose::training,
                 DType::float32,
                 Backing::memory,
                 {.tensor = {}, .chunks = {{1, 2}}, .embedding = false, .head = true}};
    const auto slots = gradient_slots(last);

    EXPECT_TRUE(slots.front().second_use);
    for (const auto& slot : slots) {
        EXPECT_EQ(slot.layer, 1);
        EXPECT_EQ(slot.second_use, last.parameters().spec(slot.parameter).two_uses);
    }
}

TEST(GradientSlots, AreZeroWhereNothingWasWritten) {
    Context context{CpuContext{1}};
    Decoder model{testing::tiny_config()};
    const auto slots = gradient_slots(model);
    for (const auto& slot : slots) { std::ranges::fill(slot.values, 7.0f); }
    slots[1].states.front()->written = true;

    for (const auto& slot : slots) { complete(context, slot); }

    EXPECT_THAT(slots[0].values, ::testing::Each(0.0f));
    EXPECT_THAT(slots[1].values, ::testing::Each(7.0f));
    EXPECT_TRUE(slots[0].states.front()->written);
}

TEST(GradientBuckets, CoverEverySlotOnceInOrderAndWaitForTheirLastLayer) {
    auto config = testing::tiny_config();
    config.width = 256;
    config.layers = 6;
    config.head_dim = 64;
    config.mlp_width = 1024;
    Decoder model{config};
    const auto slots = gradient_slots(model);
    const auto buckets = gradient_buckets(slots);

    std::size_t next = 0;
    std::int64_t layer = config.layers;
    for (const auto& bucket : buckets) {
        EXPECT_EQ(bucket.first_slot, next);
        EXPECT_LE(bucket.gradient.size_bytes(), std::size_t{4} << 20);
        EXPECT_LE(bucket.layer, layer);
        layer = bucket.layer;
        for (std::size_t index = next; index < next + bucket.slots; ++index) {
            EXPECT_GE(slots[index].layer, bucket.layer);
            EXPECT_GE(slots[index].values.data(), bucket.gradient.data());
            EXPECT_LE(slots[index].values.data() + slots[index].values.size(),
                      bucket.gradient.data() + bucket.gradient.size());
        }
        next += bucket.slots;
    }
    EXPECT_EQ(next, slots.size());
    // 3.1 MiB a layer: the layers fill buckets that nothing at the end of the backward pass holds up.
    EXPECT_GE(buckets.size(), 6u);
    EXPECT_EQ(buckets[buckets.size() - 2].layer, 0);
    EXPECT_EQ(buckets.back().layer, -1);
}

}  // namespace
}  // namespace loglog
