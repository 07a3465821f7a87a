#include "engine/optim/schedule.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace loglog {
namespace {

TEST(LearningRate, WarmsUpLinearlyInEveryKind) {
    for (const auto kind : {ScheduleKind::constant, ScheduleKind::cosine, ScheduleKind::wsd}) {
        const Schedule schedule{.kind = kind, .peak = 2, .total_steps = 100, .warmup_steps = 4, .cooldown_steps = 20};

        EXPECT_DOUBLE_EQ(learning_rate(schedule, 0), 0.5);
        EXPECT_DOUBLE_EQ(learning_rate(schedule, 3), 2);
        EXPECT_DOUBLE_EQ(learning_rate(schedule, 4), 2);
    }
}

TEST(LearningRate, OfCosinePassesTheMiddleAndEndsAtItsFloor) {
    const Schedule schedule{.kind = ScheduleKind::cosine,
                            .peak = 1,
                            .total_steps = 110,
                            .warmup_steps = 10,
                            .cooldown_steps = 0,
                            .cooldown = Cooldown::linear,
                            .min_ratio = 0.1};

    EXPECT_DOUBLE_EQ(learning_rate(schedule, 60), 0.55);
    EXPECT_NEAR(learning_rate(schedule, 109), 0.1, 3e-4);
    EXPECT_DOUBLE_EQ(learning_rate(schedule, 110), 0.1);
    EXPECT_DOUBLE_EQ(learning_rate(schedule, 5000), 0.1);
}

TEST(LearningRate, OfWsdStaysAndThenFallsByItsShape) {
    Schedule schedule{
        .kind = ScheduleKind::wsd, .peak = 1, .total_steps = 100, .warmup_steps = 0, .cooldown_steps = 20};

    EXPECT_DOUBLE_EQ(learning_rate(schedule, 80), 1);
    EXPECT_DOUBLE_EQ(learning_rate(schedule, 85), 0.75);
    EXPECT_DOUBLE_EQ(learning_rate(schedule, 100), 0);
    schedule.cooldown = Cooldown::one_minus_sqrt;
    EXPECT_DOUBLE_EQ(learning_rate(schedule, 85), 0.5);
    EXPECT_GT(learning_rate(schedule, 99), 0);
}

}  // namespace
}  // namespace loglog
