#include "engine/measure/length_trend.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace loglog {
namespace {

std::vector<TimedLength> power(double factor, double exponent) {
    std::vector<TimedLength> points;
    for (double length = 256; length <= 16'384; length *= 2) {
        points.push_back({length, factor * std::pow(length, exponent)});
    }
    return points;
}

TEST(LengthTrend, FindsTheExponentOfAPower) { EXPECT_NEAR(*growth_exponent(power(3e-9, 1.7), 1'024), 1.7, 1e-12); }

TEST(LengthTrend, LeavesOutShortLengths) {
    std::vector<TimedLength> points = power(1, 2);
    points[0].seconds = 1e9;  // length 256

    EXPECT_NEAR(*growth_exponent(points, 1'024), 2, 1e-12);
    EXPECT_FALSE(growth_exponent(points, 16'384).has_value()) << "one point has no slope";
    EXPECT_FALSE(growth_exponent({}, 1).has_value());
}

TEST(LengthTrend, InterpolatesWhereOneOvertakesTheOther) {
    // 1000 T and T^2 are equal at 1000: powers are straight lines in logarithms, so the interpolation is exact.
    EXPECT_NEAR(*crossover(power(1e3, 1), power(1, 2)), 1'000, 1e-6);
}

TEST(LengthTrend, KnowsAlwaysAndNever) {
    EXPECT_NEAR(*crossover(power(1, 1), power(1, 2)), 256, 1e-9) << "faster from the least length on";
    EXPECT_FALSE(crossover(power(1e6, 1), power(1, 2)).has_value());
    EXPECT_FALSE(crossover(power(1, 2), power(1, 2)).has_value()) << "equal is not less";
}

TEST(LengthTrend, LooksAtCommonLengthsOnlyAndAtTheLastCrossing) {
    const std::vector<TimedLength> reference{{1, 1}, {2, 1}, {4, 1}, {16, 1}};
    const std::vector<TimedLength> wavering{{1, 0.5}, {2, 2}, {4, 0.5}, {8, 9}};

    EXPECT_NEAR(*crossover(wavering, reference), std::sqrt(8.0), 1e-12);
}

}  // namespace
}  // namespace loglog
