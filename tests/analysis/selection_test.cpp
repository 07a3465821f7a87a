#include "analysis/fit/selection.hpp"

#include <gmock/gmock.h>

namespace loglog {
namespace {

using ::testing::ElementsAre;

TEST(LargestOtherPerValue, KeepsTheLongestTrainedRunsOfEachSize) {
    const std::vector<double> n{1, 1, 2, 2, 2};
    const std::vector<double> d{10, 20, 20, 10, 20};

    const Selection selection = largest_other_per_value(n, d, "N", "D");

    EXPECT_THAT(selection.kept, ElementsAre(1, 2, 4));  // both seeds of (2, 20)
    EXPECT_EQ(selection.dropped_reason[0], "not the largest D at its N");
    EXPECT_EQ(selection.dropped_reason[1], "");
    EXPECT_FALSE(selection.others_differ);
}

TEST(LargestOtherPerValue, SaysWhenTheLargestDiffersBetweenSizes) {
    const std::vector<double> n{1, 2};
    const std::vector<double> d{10, 20};

    EXPECT_TRUE(largest_other_per_value(n, d, "N", "D").others_differ);
}

TEST(LowerEnvelope, KeepsRunsThatNoCheaperRunBeats) {
    const std::vector<double> compute{1, 2, 2, 3, 4};
    const std::vector<double> loss{4.0, 3.5, 3.6, 3.7, 3.0};

    const Selection selection = lower_envelope(compute, loss);

    EXPECT_THAT(selection.kept, ElementsAre(0, 1, 4));
}

TEST(LowerEnvelope, OfNothingIsNothing) { EXPECT_TRUE(lower_envelope({}, {}).kept.empty()); }

}  // namespace
}  // namespace loglog
