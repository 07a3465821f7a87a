#include <gmock/gmock.h>

#include <cmath>

#include "analysis/attention/family_fit.hpp"
#include "analysis/attention/family_tests.hpp"
#include "analysis/attention/multiplier.hpp"
#include "analysis/attention/paired_difference.hpp"
#include "engine/base/error.hpp"
#include "tests/analysis/attention/synthetic_family.hpp"

namespace loglog {
namespace {

using ::testing::HasSubstr;
using enum Sharing::Floor;
using Exponent = Sharing::Exponent;
constexpr auto logs = Objective::Residual::log;

constexpr Sharing plain{none, Exponent::shared};
constexpr Sharing plain_own{none, Exponent::own};
constexpr Sharing floored{Sharing::Floor::shared, Exponent::shared};
constexpr Sharing floored_own{Sharing::Floor::shared, Exponent::own};
constexpr Sharing all_own{Sharing::Floor::own, Exponent::own};

SyntheticFamily noiseless() {
    SyntheticFamily family;
    family.floor = 1.5;
    family.exponents = {0.15, 0.18, 0.12};
    family.sizes = 5;
    family.shared_noise = family.own_noise = 0;
    return family;
}

TEST(FitFamily, RecoversSharedFloorAndOwnExponentsOfExactLosses) {
    const SyntheticFamily family = noiseless();

    for (const auto residual : {Objective::Residual::log, Objective::Residual::linear}) {
        const FamilyFit fit = fit_family(family.points(0), 3, floored_own, residual);

        EXPECT_TRUE(fit.converged);
        for (int v = 0; v < 3; ++v) {
            EXPECT_NEAR(fit.laws[v].floor, 1.5, 1e-5);
            EXPECT_NEAR(fit.laws[v].exponent, family.exponents[v], 1e-6);
            EXPECT_NEAR(fit.predict(v, 30.0), family.loss(v, 30.0), 1e-6);
        }
    }
}

TEST(FitFamily, RecoversTheMultiplierUnderASharedExponent) {
    SyntheticFamily family = noiseless();
    family.exponents = {0.15, 0.15, 0.15};

    const FamilyFit fit = fit_family(family.points(0), 3, floored, logs);

    for (const double loss : {3.6, 4.4, 5.0}) {
        EXPECT_NEAR(cost_multiplier(fit, 0, 1, loss).value(), 1.25, 1e-4);
        EXPECT_NEAR(cost_multiplier(fit, 0, 2, loss).value(), 0.8, 1e-4);
        EXPECT_EQ(cost_multiplier(fit, 0, 0, loss).value(), 1.0);
    }
    EXPECT_FALSE(cost_multiplier(fit, 0, 1, 1.4));  // below the floor
}

TEST(FitFamily, NestedFamiliesNeverFitWorse) {
    SyntheticFamily family;
    family.floor = 1.0;
    family.sizes = 4;
    for (std::uint64_t experiment = 0; experiment < 50; ++experiment) {
        const auto points = family.points(experiment);
        const auto squares = [&](const Sharing& sharing) { return fit_family(points, 3, sharing, logs).squares; };
        const double slack = 1 + 1e-6;
        EXPECT_LE(squares(floored), squares(plain) * slack);
        EXPECT_LE(squares(plain_own), squares(plain) * slack);
        EXPECT_LE(squares(floored_own), squares(floored) * slack);
        EXPECT_LE(squares(all_own), squares(floored_own) * slack);
    }
}

TEST(FitFamily, RefusesWhatCannotBeIdentified) {
    SyntheticFamily family;
    family.sizes = 1;
    try {
        fit_family(family.points(0), 3, plain_own, logs);
        FAIL() << "fitted an exponent to one size";
    } catch (const InputError& error) { EXPECT_THAT(error.what(), HasSubstr("of one cost")); }
    std::vector<LossPoint> one{{0, 0, 30, 3.0}, {0, 1, 30, 3.1}};
    EXPECT_THROW(fit_family(one, 1, plain, logs), InputError);
}

TEST(FitFamily, LendsTheExponentToAVariantOfOneSize) {
    SyntheticFamily family = noiseless();
    family.floor = 0;
    family.exponents = {0.1, 0.1, 0.1};
    auto points = family.points(0);
    std::erase_if(points, [](const LossPoint& point) { return point.variant == 2 && point.row != 4; });

    const FamilyFit fit = fit_family(points, 3, plain, logs);

    EXPECT_NEAR(cost_multiplier(fit, 0, 2, 3.3).value(), 0.8, 1e-6);
}

/// How many of `experiments` reject at 5%.
int rejections(const SyntheticFamily& family, const Sharing& null, const Sharing& alternative, int experiments) {
    int count = 0;
    for (int i = 0; i < experiments; ++i) {
        const auto points = family.points(static_cast<std::uint64_t>(i));
        const auto test = test_nested("", fit_family(points, family.variants(), null, logs),
                                      fit_family(points, family.variants(), alternative, logs), points.size());
        count += test.p < 0.05 ? 1 : 0;
    }
    return count;
}

TEST(NestedTest, RejectsAtTheNominalRateWhereExponentsAreEqual) {
    SyntheticFamily family;
    family.shared_noise = 0;
    family.own_noise = 0.003;
    constexpr int experiments = 1000;

    const int rejected = rejections(family, plain, plain_own, experiments);

    // Binomial(1000, 0.05) has a standard deviation of 6.9: four of them either way.
    EXPECT_NEAR(rejected, 50, 28);
}

TEST(NestedTest, RejectsWhereExponentsDiffer) {
    SyntheticFamily family;
    family.exponents = {0.07, 0.08, 0.06};

    EXPECT_GE(rejections(family, plain, plain_own, 200), 196);
}

TEST(NestedTest, RejectsASharedFloorWhereFloorsDiffer) {
    SyntheticFamily family = noiseless();
    family.shared_noise = 0.0001;
    auto points = family.points(1);
    for (auto& point : points) { point.loss += point.variant == 1 ? 0.3 : 0.0; }

    const auto test = test_nested("floors", fit_family(points, 3, floored_own, logs),
                                  fit_family(points, 3, all_own, logs), points.size());

    EXPECT_EQ(test.degrees, 2);
    EXPECT_LT(test.p, 1e-3);
    EXPECT_LT(score(fit_family(points, 3, all_own, logs), points.size()).aicc,
              score(fit_family(points, 3, floored_own, logs), points.size()).aicc);
}

TEST(NestedTest, SaysNothingWithoutDegreesOfFreedom) {
    SyntheticFamily family;
    family.seeds = 1;
    family.sizes = 2;
    const auto points = family.points(0);

    const auto test = test_nested("exponents", fit_family(points, 3, plain, logs),
                                  fit_family(points, 3, plain_own, logs), points.size());

    EXPECT_TRUE(std::isnan(test.p));
}

/// The share of experiments whose 95% intervals of all multipliers but the baseline's hold the truth.
double coverage(const SyntheticFamily& family, const Sharing& sharing, int experiments) {
    int held = 0;
    for (int i = 0; i < experiments; ++i) {
        const auto points = family.points(static_cast<std::uint64_t>(i));
        const FamilyFit fit = fit_family(points, family.variants(), sharing, logs);
        const auto resamples = resample_rows(points, family.rows(), fit, {200, Seed{7}, 1});
        const double loss = family.loss(0, family.ln_cost(0, family.sizes / 2));
        for (int v = 1; v < family.variants(); ++v) {
            const Estimate e = multiplier(points, fit, resamples, 0, v, loss).estimate;
            const double truth = family.multipliers[static_cast<std::size_t>(v)];
            held += e.low <= truth && truth <= e.high ? 1 : 0;
        }
    }
    return static_cast<double>(held) / (experiments * (family.variants() - 1));
}

TEST(ResampleRows, IntervalsOfThreeSizesAndTwoSeedsHoldTheTruth) {
    const double held = coverage({}, plain, 400);

    EXPECT_GE(held, 0.90);
    EXPECT_LE(held, 0.99);
}

TEST(ResampleRows, IntervalsHoldTheTruthWhereNoiseIsAllShared) {
    SyntheticFamily family;
    family.shared_noise = 0.0029;
    family.own_noise = 0.0008;
    const double held = coverage(family, plain, 400);

    EXPECT_GE(held, 0.90);
    EXPECT_LE(held, 0.99);
}

TEST(ResampleRows, IntervalsHoldTheTruthUnderAFloor) {
    SyntheticFamily family;
    family.floor = 1.5;
    family.exponents = {0.12, 0.12, 0.12};
    for (const auto& sharing : {floored, plain}) {  // the floor is known to be there, or not told apart from zero
        const double held = coverage(family, sharing, 300);

        EXPECT_GE(held, 0.90) << to_text(sharing);
        EXPECT_LE(held, 0.99) << to_text(sharing);
    }
}

TEST(ResampleRows, IntervalsHoldTheTruthUnderOwnExponents) {
    const double held = coverage({}, plain_own, 300);

    EXPECT_GE(held, 0.90);
    EXPECT_LE(held, 0.99);
}

TEST(ResampleRows, GivesTheSameOnAnyNumberOfThreads) {
    const SyntheticFamily family;
    const auto points = family.points(3);
    const FamilyFit fit = fit_family(points, 3, plain, logs);

    const auto one = multiplier(points, fit, resample_rows(points, 6, fit, {100, Seed{1}, 1}), 0, 1, 3.3).estimate;
    const auto two = multiplier(points, fit, resample_rows(points, 6, fit, {100, Seed{1}, 2}), 0, 1, 3.3).estimate;
    const auto other = multiplier(points, fit, resample_rows(points, 6, fit, {100, Seed{2}, 2}), 0, 1, 3.3).estimate;

    EXPECT_EQ(one.low, two.low);
    EXPECT_EQ(one.high, two.high);
    EXPECT_NE(one.low, other.low);
}

TEST(ResampleRows, GivesNoIntervalWithoutDegreesOfFreedom) {
    SyntheticFamily family;
    family.sizes = 2;
    family.seeds = 1;
    const auto points = family.points(0);
    const FamilyFit fit = fit_family(points, 3, plain_own, logs);

    const auto resamples = resample_rows(points, 2, fit, {100, Seed{1}, 1});

    EXPECT_TRUE(resamples.fits.empty());
    EXPECT_TRUE(std::isnan(multiplier(points, fit, resamples, 0, 1, 3.3).estimate.low));
}

TEST(Multiplier, SaysWhereItLeavesTheRuns) {
    SyntheticFamily family;
    const auto points = family.points(0);
    const FamilyFit fit = fit_family(points, 3, plain, logs);

    EXPECT_FALSE(multiplier(points, fit, {}, 0, 1, family.loss(0, family.ln_cost(0, 1))).extrapolated);
    EXPECT_TRUE(multiplier(points, fit, {}, 0, 1, 2.0).extrapolated);
}

TEST(MeanDifference, IsStudentsInterval) {
    const Estimate e = mean_difference(std::vector<double>{0.01, 0.02, 0.03});

    EXPECT_NEAR(e.value, 0.02, 1e-15);
    EXPECT_NEAR(e.se, 0.01 / std::sqrt(3.0), 1e-15);
    EXPECT_NEAR(e.high - e.value, 4.302652729911275 * e.se, 1e-12);  // Student's t, 2 degrees of freedom
    EXPECT_TRUE(std::isnan(mean_difference(std::vector<double>{0.01}).low));
    EXPECT_TRUE(std::isnan(mean_difference({}).value));
}

}  // namespace
}  // namespace loglog
