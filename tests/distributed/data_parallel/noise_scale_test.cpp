#include "distributed/data_parallel/noise_scale.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "engine/base/random.hpp"

namespace loglog {
namespace {

TEST(NoiseScale, SaysNothingBeforeItHasSeenBatchesOfTwoSizes) {
    NoiseScale scale;
    EXPECT_FALSE(scale.value());

    scale.observe(StepTotals{}, 1024);
    EXPECT_FALSE(scale.value());

    scale.observe(std::numeric_limits<double>::quiet_NaN(), 1, 1, 2);
    EXPECT_FALSE(scale.value());
}

TEST(NoiseScale, OfOneStepFollowsTheFormulaAndLaterStepsAreAveragedBeforeDividing) {
    NoiseScale scale;
    // Batches of 1 and 4: |G|^2 = (4 * 2 - 1 * 5) / 3 = 1 and trace = (5 - 2) / (1 - 1/4) = 4.
    scale.observe(5, 2, 1, 4);
    ASSERT_TRUE(scale.value());
    EXPECT_DOUBLE_EQ(*scale.value(), 4);

    // |G|^2 = (4 * 1 - 7) / 3 = -1 and trace = (7 - 1) / 0.75 = 8: kept although no ratio could be.
    scale.observe({.small_batch_square = 7, .large_batch_square = 1, .small_batches = 4}, 4);
    ASSERT_TRUE(scale.value());
    EXPECT_DOUBLE_EQ(*scale.value(), (0.99 * 4 + 0.01 * 8) / (0.99 * 1 - 0.01 * 1));
}

TEST(NoiseScale, SaysNothingWhileTheSquaredNormIsNotPositive) {
    NoiseScale scale;
    scale.observe(7, 1, 1, 4);

    EXPECT_FALSE(scale.value());
}

TEST(NoiseScale, FindsTheTruthOfASimulationWhereTheMeanOfRatiosDoesNot) {
    // Gradients of `small` examples: a mean of squared norm 1 and independent noise of total variance truth / small.
    constexpr double truth = 382.6;
    constexpr std::size_t dimensions = 256, ranks = 8, steps = 2000;
    constexpr double small = 32, large = small * ranks;
    const double mean = 1 / std::sqrt(double{dimensions});
    const double deviation = std::sqrt(truth / small / dimensions);
    const Random random{Seed{11}, Stream::synthetic_data};
    NoiseScale scale;
    double ratios = 0;
    std::vector<double> sum(dimensions);
    for (std::size_t step = 0; step < steps; ++step) {
        double small_square = 0, large_square = 0;
        std::fill(sum.begin(), sum.end(), 0.0);
        for (std::size_t rank = 0; rank < ranks; ++rank) {
            for (std::size_t i = 0; i < dimensions; ++i) {
                const double g = mean + deviation * random.normal((step * ranks + rank) * dimensions + i);
                sum[i] += g / ranks;
                small_square += g * g / ranks;
            }
        }
        for (const double g : sum) { large_square += g * g; }

        scale.observe(small_square, large_square, small, large);

        NoiseScale single;
        single.observe(small_square, large_square, small, large);
        ratios += single.value().value_or(0) / steps;
    }

    // One step's squared norm is off by sqrt(4 v + 2 v^2 D) with v = truth / large / D, about 0.19; the average has the
    // weight of some 200 steps, so 0.013, and five of that are 7 %.
    ASSERT_TRUE(scale.value());
    EXPECT_NEAR(*scale.value(), truth, 0.07 * truth);
    EXPECT_GT(ratios, truth * 1.02);
}

}  // namespace
}  // namespace loglog
