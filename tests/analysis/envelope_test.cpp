#include "analysis/envelope/envelope.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr double alpha = 0.34, beta = 0.28;

double loss(double n, double d) { return 1.69 + 406.4 * std::pow(n, -alpha) + 410.7 * std::pow(d, -beta); }

/// Runs whose loss at every checkpoint is that of the surface: sizes a factor 1.3 apart, each trained to D = 200 N.
std::vector<TrainingCurve> runs(double noise = 0) {
    const Random random{Seed{9}, Stream::synthetic_data};
    std::vector<TrainingCurve> curves;
    std::uint64_t index = 0;
    for (int i = 0; i < 20; ++i) {
        TrainingCurve curve{"run" + std::to_string(i), 1e7 * std::pow(1.3, i), {}, {}, {}};
        for (int k = 0; k < 150; ++k) {
            const double d = curve.n * 0.2 * std::pow(10.0, k / 50.0);
            curve.tokens.push_back(d);
            curve.compute.push_back(6 * curve.n * d);
            curve.loss.push_back(loss(curve.n, d) * std::exp(noise * random.normal(index++)));
        }
        curves.push_back(std::move(curve));
    }
    return curves;
}

EnvelopeQuestion question(int resamples) {
    EnvelopeQuestion q;
    q.inference.bootstrap.resamples = resamples;
    return q;
}

std::vector<std::string> codes(const OptimaFit& fit) {
    std::vector<std::string> list;
    for (const Warning& warning : fit.warnings) { list.push_back(warning.code); }
    return list;
}

TEST(SmoothCurve, LeavesAPowerLawAsItIsAndReadsBetweenCheckpoints) {
    TrainingCurve curve{"a", 1e6, {}, {}, {}};
    for (int k = 0; k < 40; ++k) {
        curve.compute.push_back(1e15 * std::pow(1.07, k));
        curve.tokens.push_back(curve.compute.back() / 6e6);
        curve.loss.push_back(5 * std::pow(curve.compute.back() / 1e15, -0.1));
    }

    const SmoothCurve smooth{curve, 0.5};
    const auto reading = smooth.at(std::log(4.2e15));

    ASSERT_TRUE(reading);
    EXPECT_NEAR(reading->ln_loss, std::log(5) - 0.1 * std::log(4.2), 1e-12);
    EXPECT_NEAR(reading->ln_d, std::log(4.2e15 / 6e6), 1e-12);
    EXPECT_FALSE(smooth.at(std::log(0.9e15)));
    EXPECT_FALSE(smooth.at(std::log(1e18)));
}

TEST(Envelope, FindsTheExponentsOfTheSurface) {
    const OptimaFit fit = fit_envelope(runs(), question(100));

    // Sizes are 1.3 apart: an optimum is off by up to ln(1.3)/2, on a line that spans three decades of compute.
    const double a = beta / (alpha + beta);
    EXPECT_NEAR(fit.parameters[0].estimate.value, a, 0.02);
    EXPECT_NEAR(fit.parameters[1].estimate.value, 1 - a, 0.02);
    EXPECT_LT(fit.parameters[0].estimate.low, a);
    EXPECT_GT(fit.parameters[0].estimate.high, a);
    ASSERT_TRUE(fit.loss);
    EXPECT_NEAR(fit.loss->parameters[0].estimate.value, 1.69, 0.05);
    EXPECT_NEAR(fit.loss->parameters[2].estimate.value, alpha * beta / (alpha + beta), 0.01);
}

TEST(Envelope, UsesOnlyComputesWithSmallerAndLargerModelsBesideTheBest) {
    const OptimaFit fit = fit_envelope(runs(), question(0));

    EXPECT_THAT(codes(fit), ::testing::IsSupersetOf({"optimum_at_edge", "one_length_per_size"}));
    ASSERT_GT(fit.optima.budgets.size(), 10u);
    EXPECT_LT(fit.optima.budgets.size(), 100u);
    for (const auto& budget : fit.optima.budgets) {
        EXPECT_GT(budget.n.value, 1.01e7);
        EXPECT_GE(budget.n_points, 3u);
        EXPECT_NEAR(std::log(budget.loss.value / loss(budget.n.value, budget.d.value)), 0, 1e-3);
    }
}

TEST(Envelope, SaysThatOneOrTwoSizesTellLittleOfTheExponent) {
    const auto all = runs();
    const std::vector<TrainingCurve> three{all[0], all[5], all[10]};  // only the one in the middle can count
    const std::vector<TrainingCurve> four{all[0], all[4], all[6], all[10]};

    for (const auto& [curves, wanted] : {std::pair{three, "fall on 1 size only"}, {four, "fall on 2 sizes only"}}) {
        const OptimaFit fit = fit_envelope(curves, question(0));
        const auto found = std::ranges::find(fit.warnings, "few_sizes_on_envelope", &Warning::code);
        ASSERT_NE(found, fit.warnings.end());
        EXPECT_THAT(found->text, ::testing::HasSubstr(wanted));
    }
    EXPECT_THAT(codes(fit_envelope(all, question(0))), ::testing::Not(::testing::Contains("few_sizes_on_envelope")));
}

TEST(Envelope, ResamplesDoNotDependOnTheNumberOfThreads) {
    auto one = question(40);
    auto three = one;
    three.inference.bootstrap.threads = 3;

    EXPECT_EQ(to_json(fit_envelope(runs(0.01), one)), to_json(fit_envelope(runs(0.01), three)));
}

TEST(Envelope, TablesAreReadByRunInAnyOrder) {
    std::istringstream in{"run,N,D,loss\na,1e6,2e8,3.5\nb,2e6,1e8,4\na,1e6,1e8,4\nb,2e6,2e8,3.4\n"};
    std::vector<Warning> warnings;

    const auto curves = curves_of(read_csv(in, "curves.csv"), {}, warnings);

    ASSERT_EQ(curves.size(), 2u);
    EXPECT_EQ(curves[0].run, "a");
    EXPECT_EQ(curves[0].compute, (std::vector<double>{6 * 1e6 * 2e8, 6 * 1e6 * 1e8}));
    EXPECT_NEAR(SmoothCurve(curves[0], 0).at(std::log(6e14))->ln_loss, std::log(4), 1e-12);
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_EQ(warnings[0].code, "assumed_6nd");
}

TEST(Envelope, BadTablesAreRefusedWithTheReason) {
    std::vector<Warning> warnings;
    std::istringstream two{"run,N,D,loss\na,1e6,2e8,3.5\na,2e6,4e8,3\n"};
    const Dataset changing = read_csv(two, "curves.csv");
    std::istringstream few{"run,N,D,loss\na,1e6,1e8,3.5\na,1e6,2e8,3\nb,2e6,1e8,3.4\nb,2e6,2e8,3.1\n"};
    const auto curves = curves_of(read_csv(few, "curves.csv"), {}, warnings);
    const auto message = [](const auto& call) -> std::string {
        try {
            call();
        } catch (const InputError& error) { return error.what(); }
        return "no error";
    };

    EXPECT_THAT(message([&] { curves_of(changing, {}, warnings); }), ::testing::HasSubstr("run 'a' has N = 2e+06"));
    EXPECT_THAT(message([&] { fit_envelope(curves, question(0)); }), ::testing::HasSubstr("2 sizes"));
}

}  // namespace
}  // namespace loglog
