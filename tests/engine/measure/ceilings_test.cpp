#include "engine/measure/ceilings.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace loglog {
namespace {

TEST(FmaPeak, IsAPositiveNumberForAnyNumberOfThreads) {
    for (const int threads : {0, 1, 2, 3}) {
        const double peak = measured_fma_peak(threads);

        EXPECT_TRUE(std::isfinite(peak)) << threads;
        EXPECT_GT(peak, 0) << threads;
    }
}

TEST(MeasureCeilings, GivesPositiveRatesForEveryLevel) {
    const Ceilings ceilings = measure_ceilings(2);

    EXPECT_EQ(ceilings.threads, 2);
    for (const double rate : {ceilings.fma_flops, ceilings.triad.l2, ceilings.triad.l3, ceilings.triad.dram}) {
        EXPECT_TRUE(std::isfinite(rate));
        EXPECT_GT(rate, 0);
    }
}

}  // namespace
}  // namespace loglog
