#include "engine/measure/attention_trial.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace loglog {
namespace {

MixerConfig config_of(AttentionKind kind) {
    MixerConfig config;
    config.kind = kind;
    config.window = 32;
    config.stride = 8;
    config.block = 16;
    config.features = 16;
    config.pattern = "block 64\n0\n";
    return config;
}

class AttentionTrials : public ::testing::TestWithParam<int> {};

TEST_P(AttentionTrials, RunsBothPassesAndCountsTheirWork) {
    const auto kind = static_cast<AttentionKind>(GetParam());
    const AttentionTrialShape shape{.time = 64, .heads = 2, .head_dim = 16};
    AttentionTrial trial{config_of(kind), shape, 1};

    EXPECT_GT(trial.seconds(), 0);
    const std::size_t memory = trial.memory_bytes();
    EXPECT_GT(trial.seconds(), 0);

    EXPECT_GT(trial.cost().model_flops, 0);
    constexpr std::size_t inputs_and_gradients = 2 * 3 * 64 * 2 * 16 * sizeof(float);
    EXPECT_GT(memory, inputs_and_gradients);
    EXPECT_EQ(trial.memory_bytes(), memory) << "a second pass needs nothing new";
}

INSTANTIATE_TEST_SUITE_P(Kinds, AttentionTrials, ::testing::Range(0, 18), [](const auto& kind) {
    return std::string{to_string(static_cast<AttentionKind>(kind.param))};
});

TEST(AttentionTrial, CountsDenseAttentionByHand) {
    constexpr double time = 96, heads = 2, head_dim = 16;
    const AttentionTrial trial{config_of(AttentionKind::dense), {.time = 96, .heads = 2, .head_dim = 16}, 1};

    // heads * (2 head_dim) * (time + 1) a token forward, and twice that backward
    EXPECT_DOUBLE_EQ(trial.cost().model_flops, 3 * time * heads * 2 * head_dim * (time + 1));
}

}  // namespace
}  // namespace loglog
