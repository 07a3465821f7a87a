#include "distributed/mpi/stuck_ranks.hpp"

#include <gmock/gmock.h>

namespace loglog {
namespace {

using testing::HasSubstr;

const WatchdogLimits limits{.waiting_seconds = 300, .silent_seconds = 30, .period_seconds = 1};

std::vector<RankReport> four_waiting(double seconds) {
    const RankReport rank{.host = "node1",
                          .place = "dp 0, tp 1, pp 0",
                          .operation = "all-reduce of 8 bytes in the tensor group",
                          .number = 17,
                          .waiting = true,
                          .seconds = seconds,
                          .silent_seconds = 0.5};
    return std::vector<RankReport>(4, rank);
}

TEST(StuckRanks, NobodyIsWhileLimitsAreKept) {
    auto ranks = four_waiting(299);
    ranks[1].waiting = false;
    ranks[1].seconds = 10'000;
    ranks[2].silent_seconds = 29;

    EXPECT_FALSE(describe_stuck_ranks(ranks, limits));
}

TEST(StuckRanks, AreThoseWithoutHeartbeatFirst) {
    auto ranks = four_waiting(301);
    ranks[0].waiting = false;
    ranks[2].silent_seconds = 10;

    EXPECT_THAT(*describe_stuck_ranks(ranks, limits), HasSubstr("stuck at rank 2 (no sign of life"));
}

TEST(StuckRanks, AreTheSilentOnesEvenWhenNobodyWaits) {
    auto ranks = four_waiting(1);
    ranks[2].silent_seconds = ranks[3].silent_seconds = 31;

    EXPECT_THAT(*describe_stuck_ranks(ranks, limits), HasSubstr("stuck at ranks 2, 3 (no sign of life"));
}

TEST(StuckRanks, AreTheLongestComputingOnesWhileOthersWait) {
    auto ranks = four_waiting(301);
    ranks[0].waiting = ranks[3].waiting = false;
    ranks[0].seconds = 0.1;

    const auto text = *describe_stuck_ranks(ranks, limits);

    EXPECT_THAT(text, HasSubstr("stuck at rank 3 (computing"));
    EXPECT_THAT(text, HasSubstr("rank 3 (node1, dp 0, tp 1, pp 0): computing for 301.0 s since all-reduce of 8 bytes"));
    EXPECT_THAT(text, HasSubstr("rank 1 (node1, dp 0, tp 1, pp 0): waiting for 301.0 s in all-reduce of 8 bytes in the "
                                "tensor group, operation 17; heartbeat 0.5 s ago"));
}

TEST(StuckRanks, AreNeverThoseThatFinished) {
    auto ranks = four_waiting(301);
    ranks[0].finished = ranks[1].finished = true;
    ranks[0].silent_seconds = 400;
    ranks[1].waiting = false;
    ranks[1].number = 3;
    ranks[2].number = 16;

    const auto text = *describe_stuck_ranks(ranks, limits);

    EXPECT_THAT(text, HasSubstr("stuck at rank 2 (all ranks wait"));
    EXPECT_THAT(text, HasSubstr("rank 0 (node1, dp 0, tp 1, pp 0): finished"));
}

TEST(StuckRanks, AreThoseThatLagBehindWhenAllWait) {
    auto ranks = four_waiting(301);
    ranks[1].number = 16;

    EXPECT_THAT(*describe_stuck_ranks(ranks, limits), HasSubstr("stuck at rank 1 (all ranks wait"));
}

}  // namespace
}  // namespace loglog
