#include "sweeps/scheduler/packing.hpp"

#include <gmock/gmock.h>

#include <array>

namespace loglog {
namespace {

using ::testing::ElementsAre;

TEST(WaitingRuns, GiveTheFirstThatFits) {
    const std::array ranks{4, 2, 1, 2, 1};
    WaitingRuns waiting{ranks};

    EXPECT_EQ(waiting.take(0), std::nullopt);
    EXPECT_EQ(waiting.take(3), 1u);
    EXPECT_EQ(waiting.take(1), 2u);
    EXPECT_EQ(waiting.take(4), 0u);
    EXPECT_EQ(waiting.take(4), 3u);
    EXPECT_EQ(waiting.size(), 1u);
    EXPECT_EQ(waiting.take(4), 4u);
    EXPECT_TRUE(waiting.empty());
    EXPECT_EQ(waiting.take(4), std::nullopt);
}

TEST(WaitingRuns, KeepTheQueuesOrderWhereALargerRunComesLater) {
    const std::array ranks{1, 4};
    WaitingRuns waiting{ranks};

    EXPECT_EQ(waiting.take(4), 0u);
    EXPECT_EQ(waiting.take(4), 1u);
}

TEST(NearestRanks, AreNeighboursWherePossible) {
    EXPECT_THAT(nearest_ranks({0, 1, 2, 3}, 2), ElementsAre(0, 1));
    EXPECT_THAT(nearest_ranks({0, 3, 4, 7}, 2), ElementsAre(3, 4));
    EXPECT_THAT(nearest_ranks({1, 4, 6, 7}, 3), ElementsAre(4, 6, 7));
    EXPECT_THAT(nearest_ranks({5}, 1), ElementsAre(5));
}

TEST(PackedSeconds, OfMixedRuns) {
    const std::array<RunLength, 5> runs{{{4, 10}, {2, 6}, {2, 3}, {1, 5}, {1, 2}}};

    // 4 ranks: 10 s for the first, then 6 s beside 3 s; the single ones fill the place of the shorter pair.
    EXPECT_DOUBLE_EQ(packed_seconds(runs, 4), 18);
    // 2 ranks: the first is left out; 6 + 3 s, then 5 s beside 2 s.
    EXPECT_DOUBLE_EQ(packed_seconds(runs, 2), 14);
    EXPECT_DOUBLE_EQ(packed_seconds({}, 3), 0);
}

TEST(PackedSeconds, LetsSmallRunsFillWhatALargeOneWaitsFor) {
    const std::array<RunLength, 3> runs{{{3, 4}, {3, 4}, {1, 5}}};

    EXPECT_DOUBLE_EQ(packed_seconds(runs, 4), 8);
}

}  // namespace
}  // namespace loglog
