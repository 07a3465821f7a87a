#include "experiments/run/divergence.hpp"

#include <gmock/gmock.h>

#include <limits>

namespace loglog {
namespace {

std::optional<std::string> feed(DivergenceRule& rule, std::int64_t first, std::int64_t steps, double loss) {
    for (std::int64_t step = first; step < first + steps; ++step) {
        if (auto reason = rule.observe(step, loss, 1.0)) { return reason; }
    }
    return std::nullopt;
}

TEST(DivergenceRule, NotANumberStopsAtOnce) {
    DivergenceRule rule;

    EXPECT_EQ(rule.observe(7, -std::numeric_limits<double>::quiet_NaN(), 1.0), "loss is nan at step 7");
    EXPECT_EQ(rule.observe(8, 2.0, std::numeric_limits<double>::infinity()), "gradient norm is inf at step 8");
}

TEST(DivergenceRule, AFallingLossNeverStops) {
    DivergenceRule rule;

    for (std::int64_t step = 0; step < 500; ++step) { EXPECT_FALSE(rule.observe(step, 9.0 - 0.01 * step, 1.0)); }
}

TEST(DivergenceRule, ASingleSpikeDoesNotStop) {
    DivergenceRule rule;
    feed(rule, 0, 100, 3.0);

    EXPECT_FALSE(rule.observe(100, 30.0, 1.0));  // moves the mean by 27 / 20 = 1.35 nats
    EXPECT_FALSE(feed(rule, 101, 100, 3.0));
}

TEST(DivergenceRule, ALossThatStaysFarAboveItsPastStops) {
    DivergenceRule rule;
    feed(rule, 0, 100, 3.0);

    const auto reason = feed(rule, 100, 100, 5.0);

    ASSERT_TRUE(reason);
    // 2 nats above for 16 of 20 steps is the first mean more than 1.5 above.
    EXPECT_THAT(*reason, testing::HasSubstr("at step 115, 1.6 nats above its lowest, 3"));
}

}  // namespace
}  // namespace loglog
