#include <gtest/gtest.h>

#include <limits>

#include "distributed/topology/topology.hpp"
#include "tests/support/linear_case.hpp"

namespace loglog::testing {
namespace {

/// All ranks share one MLP.
class LinearParallel : public ::testing::TestWithParam<MlpForm> {
  protected:
    static Topology spread_over_all(Reduction reduction) {
        const auto world = Communicator::world();
        return Topology{world, Layout{.dp = 1, .tp = world.size(), .pp = 1}, reduction};
    }

    Topology tree_ = spread_over_all(Reduction::tree);
    Topology fast_ = spread_over_all(Reduction::fast);
};

TEST_P(LinearParallel, TreesGiveTheBitsOfOneRankWithTheSameLeaves) {
    for (const std::int64_t leaves : {4, 8}) {
        if (leaves < tree_.tensor().size()) { continue; }  // ranks without a leaf
        for (const bool sequence_parallel : {false, true}) {
            for (const MlpSizes& sizes : {MlpSizes{.rows = 8, .width = 5, .hidden = 24},
                                          {.rows = 96, .width = 48, .hidden = 160},
                                          {.rows = 16, .width = 24, .hidden = 8 * 520}}) {
                Group& group = tree_.tensor();
                const MlpCase<float> mlp{GetParam(), sizes};
                const LeafSpread spread{.leaves = leaves, .group = &group, .sequence_parallel = sequence_parallel};
                auto expected = mlp.part(mlp.run({.leaves = leaves}), spread);

                auto mine = mlp.run(spread);
                auto split = mlp.run(spread, Steps::split);

                expect_same_bits(split, mine);
                if (sequence_parallel) {
                    group.all_reduce_sum(mine.d_bias);
                    EXPECT_TRUE(all_near(mine.d_bias, expected.d_bias,
                                         static_cast<double>(sizes.rows) * std::numeric_limits<float>::epsilon()));
                    mine.d_bias = expected.d_bias;
                }
                expect_same_bits(mine, expected);
            }
        }
    }
}

TEST_P(LinearParallel, FastSumsAgreeWithTheUncutLayersUpToRounding) {
    const MlpSizes sizes{.rows = 96, .width = 48, .hidden = 160};
    const MlpCase<double> mlp{GetParam(), sizes};
    const LeafSpread spread{.leaves = fast_.tensor().size(), .group = &fast_.tensor()};

    const auto mine = mlp.run(spread);
    const auto uncut = mlp.run({.leaves = 0});

    // Two sums of up to 320 terms differ by 2 * 320 roundings at most, and an error passes through two layers whose
    // weights' sums are some ten times their largest result.
    expect_near(mine, mlp.part(uncut, {.leaves = spread.leaves, .group = spread.group}),
                2 * 2 * 320 * 10 * std::numeric_limits<double>::epsilon());
}

INSTANTIATE_TEST_SUITE_P(Forms, LinearParallel, ::testing::Values(MlpForm::swiglu, MlpForm::gelu));

}  // namespace
}  // namespace loglog::testing
