#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "distributed/topology/topology.hpp"
#include "tests/support/vocab_case.hpp"

namespace loglog::testing {
namespace {

/// All ranks share one model.
class VocabParallel : public ::testing::Test {
  protected:
    static Topology spread_over_all(Reduction reduction) {
        const auto world = Communicator::world();
        return Topology{world, Layout{.dp = 1, .tp = world.size(), .pp = 1}, reduction};
    }

    Topology tree_ = spread_over_all(Reduction::tree);
    Topology fast_ = spread_over_all(Reduction::fast);
};

constexpr std::int64_t leaves = 8;

struct HeadShape {
    std::int64_t rows;
    std::int64_t width;
    std::int64_t vocab;
};
constexpr HeadShape head_shapes[] = {
    {11, 5, 19},       // the last leaf has no token
    {3, 4, 1},         // only the first leaf has one
    {130, 24, 1000},   //
    {70, 4, 17'000}};  // two blocks of rows, and leaves of more rows than products add up at once

TEST_F(VocabParallel, HeadOfEightLeavesGivesTheSameBitsOnAnyNumberOfRanks) {
    ASSERT_LT(head_block_rows(17'000, sizeof(float)), 70);
    for (const auto& [rows, width, vocab] : head_shapes) {
        SCOPED_TRACE(vocab);
        const auto c = random_head_case<float>(rows, width, vocab);
        const VocabSpread spread{.vocab = vocab, .leaves = leaves, .group = &tree_.tensor()};

        const auto one_rank = run_head(c, {.vocab = vocab, .leaves = leaves});
        const auto mine = run_head(c, spread);

        EXPECT_TRUE(same_bits(mine.losses, one_rank.losses));
        EXPECT_TRUE(same_bits(mine.log_z, one_rank.log_z));
        EXPECT_TRUE(same_bits(mine.d_h, one_rank.d_h));
        EXPECT_TRUE(same_bits(mine.d_table, local_rows_of(one_rank.d_table, spread, width)));
    }
}

TEST_F(VocabParallel, SineExampleHasItsKnownResultsForEverySpread) {
    Group* const trees = &tree_.tensor();
    Group* const fast = &fast_.tensor();
    for (const VocabSpread& spread : {VocabSpread{8, fast->size(), fast}, {8, 4, trees}, {8, 8, trees}}) {
        expect_sine_results(run_head(sine_case(), spread), spread);
    }
}

TEST_F(VocabParallel, FastSumsGiveEveryRankTheSameLossesUpToRoundingOfTheUncut) {
    constexpr std::int64_t rows = 130, width = 24, vocab = 1000;
    const auto c = random_head_case<float>(rows, width, vocab);
    const VocabSpread spread{.vocab = vocab, .leaves = fast_.tensor().size(), .group = &fast_.tensor()};

    const auto whole = run_head(c, {.vocab = vocab});
    const auto mine = run_head(c, spread);
    auto largest = mine.losses;
    fast_.tensor().all_reduce_max(largest);

    EXPECT_TRUE(same_bits(mine.losses, largest));
    const double tolerance = 8 * std::sqrt(1000.0) * std::numeric_limits<float>::epsilon();
    EXPECT_TRUE(all_near(mine.losses, whole.losses, tolerance));
    EXPECT_TRUE(all_near(mine.d_h, whole.d_h, tolerance));
    EXPECT_TRUE(all_near(mine.d_table, local_rows_of(whole.d_table, spread, width), tolerance));
}

TEST_F(VocabParallel, PartsOfAGatheredInputsGradientAddUpToTheWhole) {
    const auto c = random_head_case<float>(16, 5, 19);
    const VocabSpread spread{.vocab = 19, .leaves = leaves, .group = &tree_.tensor()};
    auto gathered = spread;
    gathered.sequence_parallel = true;

    const auto whole = run_head(c, spread);
    auto mine = run_head(c, gathered);
    tree_.tensor().all_reduce_sum(mine.d_h);

    EXPECT_TRUE(same_bits(mine.d_h, whole.d_h));
    EXPECT_TRUE(same_bits(mine.losses, whole.losses));
}

TEST_F(VocabParallel, LooksUpTheSameBitsOnAnyNumberOfRanks) {
    for (Group* group : {&tree_.tensor(), &fast_.tensor()}) {
        for (const bool positioned : {false, true}) {
            const auto c = random_embedding_case<float>(24, 12, 37, 19, positioned);
            const VocabSpread spread{.vocab = 19, .leaves = leaves, .group = group};

            const auto whole = run_embedding(c, {.vocab = 19});
            const auto mine = run_embedding(c, spread);

            EXPECT_TRUE(same_bits(mine.y, whole.y));
            EXPECT_TRUE(same_bits(mine.d_table, local_rows_of(whole.d_table, spread, 37)));
            EXPECT_TRUE(same_bits(mine.d_positions, whole.d_positions));
        }
    }
}

TEST_F(VocabParallel, LooksUpItsPartOfTheRowsUnderSequenceParallelism) {
    const auto c = random_embedding_case<float>(24, 12, 37, 19, true);
    for (Group* group : {&tree_.tensor(), &fast_.tensor()}) {
        const VocabSpread spread{.vocab = 19, .leaves = leaves, .group = group, .sequence_parallel = true};

        const auto whole = run_embedding(c, {.vocab = 19});
        auto mine = run_embedding(c, spread);
        group->all_reduce_sum(mine.d_positions);

        const auto size = static_cast<std::ptrdiff_t>(whole.y.size()) / spread.ranks();
        const auto first = whole.y.begin() + spread.rank() * size;
        EXPECT_TRUE(same_bits(mine.y, std::vector<float>(first, first + size)));
        EXPECT_TRUE(same_bits(mine.d_table, local_rows_of(whole.d_table, spread, 37)));
        // Each position has two tokens, so the parts' sums round as the whole does, up to one rounding.
        EXPECT_TRUE(all_near(mine.d_positions, whole.d_positions, 2 * std::numeric_limits<float>::epsilon()));
    }
}

TEST_F(VocabParallel, StaysFiniteForLargeLogitsAndRanksWithoutTokens) {
    const HeadCase<float> c{.width = 1, .h = {1e4F, -1e4F}, .table = {1}, .targets = {0, -1}};

    const auto mine = run_head(c, {.vocab = 1, .leaves = leaves, .group = &tree_.tensor()});

    // The one exponential, 2^0, may err by a unit in its last place.
    constexpr float epsilon = std::numeric_limits<float>::epsilon();
    EXPECT_NEAR(mine.losses[0], 0, epsilon);
    EXPECT_FLOAT_EQ(mine.log_z[0], 1e4F);
    EXPECT_EQ(mine.losses[1], 0);
    for (const float gradient : mine.d_h) { EXPECT_NEAR(gradient, 0, epsilon); }
    for (const float gradient : mine.d_table) { EXPECT_NEAR(gradient, 0, 1e4F * epsilon); }
}

}  // namespace
}  // namespace loglog::testing
