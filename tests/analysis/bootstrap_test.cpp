#include "analysis/bootstrap/bootstrap.hpp"

#include <gmock/gmock.h>

#include "tests/analysis/synthetic_runs.hpp"

namespace loglog {
namespace {

const Objective huber_log{Objective::Residual::log, Objective::Penalty::huber, 1e-3};
const Objective squares{Objective::Residual::log, Objective::Penalty::squares};

TEST(Summarise, GivesThePercentilesOfKnownSamples) {
    std::vector<double> samples;
    for (int i = 0; i <= 1000; ++i) { samples.push_back(i); }

    const Estimate e = summarise(500, samples);

    EXPECT_NEAR(e.low, 25, 1e-9);
    EXPECT_NEAR(e.high, 975, 1e-9);
    EXPECT_NEAR(e.se, 1001 / std::sqrt(12.0), 0.3);  // uniform over 1001 integers
}

TEST(Summarise, SaysNothingOfSpreadWithoutSamples) {
    EXPECT_TRUE(std::isnan(summarise(1.0, {}).se));
    EXPECT_EQ(summarise(1.0, {}).value, 1.0);
}

TEST(Summarise, HoldsAtAnyMagnitude) {
    // The same skewed numbers in other units have the same shares as tails, and their own spread.
    const std::vector<double> samples{1, 2, 3, 4, 5, 6, 7, 8, 9, 30};
    const std::vector<double> left_out{5, 5.5, 5.7, 6, 2};
    const auto in_units = [](std::vector<double> values, double unit) {
        for (double& value : values) { value *= unit; }
        return values;
    };
    const Tails ones = bca_tails(0.95, 5, samples, left_out);
    const Estimate e = summarise(5, samples, ones);
    for (const double unit : {1e-200, 1e150}) {
        const Tails tails = bca_tails(0.95, 5 * unit, in_units(samples, unit), in_units(left_out, unit));
        EXPECT_NEAR(tails.low, ones.low, 1e-9) << unit;
        EXPECT_NEAR(tails.high, ones.high, 1e-9) << unit;
        EXPECT_NEAR(summarise(5 * unit, in_units(samples, unit), tails).se / unit, e.se, 1e-9) << unit;
    }
}

TEST(BcaTails, EndAtTheLowestOrTheHighestWhereTheAccelerationHasNoLimit) {
    std::vector<double> left_out(1000, 0.0);  // one alone differs: |a| is nearly 1/6, and |z| of this level is 8
    left_out[0] = 1;
    const Tails downwards = bca_tails(1 - 1e-15, 0, {-1, 1}, left_out);
    EXPECT_EQ(downwards.low, 0) << "never the highest resample";
    EXPECT_GT(downwards.high, 0.5);

    left_out[0] = -1;
    const Tails upwards = bca_tails(1 - 1e-15, 0, {-1, 1}, left_out);
    EXPECT_EQ(upwards.high, 1);
    EXPECT_LT(upwards.low, 0.5);
}

TEST(Bootstrap, DoesNotDependOnTheNumberOfThreads) {
    const Points points = saturating_points(1.0, 1e8, 0.3, 12, 0.01);
    const Law& law = find_law("saturating");
    const Optimum optimum = find_optimum(law, points, huber_log, 1);

    const Resamples one = bootstrap(law, points, huber_log, optimum, {50, Seed{4}, 1});
    const Resamples three = bootstrap(law, points, huber_log, optimum, {50, Seed{4}, 3});

    EXPECT_EQ(one.natural, three.natural);
}

TEST(Bootstrap, StandardErrorOfALineMatchesTheTextbook) {
    // ln L = alpha (ln Xc - ln X) with 200 points of equal noise: se(alpha) = sigma / sqrt(sum of centred ln X
    // squared).
    const double noise = 0.02;
    std::vector<double> x, loss;
    const Random random{Seed{5}, Stream::synthetic_data};
    for (int i = 0; i < 200; ++i) {
        x.push_back(std::exp(0.05 * i));
        loss.push_back(std::pow(1e9 / x.back(), 0.1) * std::exp(noise * random.normal(static_cast<std::uint64_t>(i))));
    }
    const std::span<const double> columns[] = {x};
    const Points points = make_points(columns, loss);
    double spread = 0;
    for (const auto& row : points.ln_x) { spread += row[0] * row[0]; }
    const Law& law = find_law("power");
    const Optimum optimum = find_optimum(law, points, squares, 1);

    const Resamples resamples = bootstrap(law, points, squares, optimum, {2000, Seed{6}, 1});

    std::vector<double> alpha;
    for (const Values& natural : resamples.natural) { alpha.push_back(natural[1]); }
    const Estimate e = summarise(optimum.best.coordinates[1], alpha);
    // The noise drawn has its own standard deviation, within 1/sqrt(2*200) = 5% of `noise`, three times that allowed.
    EXPECT_NEAR(e.se / (noise / std::sqrt(spread)), 1.0, 0.15 + 3 / std::sqrt(2 * 2000.0));
    EXPECT_LT(e.low, 0.1);
    EXPECT_GT(e.high, 0.1);
}

TEST(Bootstrap, CountsResamplesThatCannotBeFitted) {
    const Points points = saturating_points(1.0, 1e8, 0.3, 4);
    const Law& law = find_law("saturating");
    const Optimum optimum = find_optimum(law, points, huber_log, 1);

    const Resamples resamples = bootstrap(law, points, huber_log, optimum, {200, Seed{1}, 1});

    EXPECT_GT(resamples.degenerate, 0);  // four draws of four points often hold two distinct ones
    EXPECT_EQ(resamples.degenerate + static_cast<int>(resamples.natural.size()), 200);
}

}  // namespace
}  // namespace loglog
