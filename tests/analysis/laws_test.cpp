#include <gmock/gmock.h>

#include <limits>

#include "analysis/laws/law.hpp"
#include "engine/base/error.hpp"
#include "tests/analysis/synthetic_runs.hpp"

namespace loglog {
namespace {

Points some_points(const Law& law) {
    std::vector<double> first{1e6, 4e6, 9e6, 3e7};
    std::vector<double> second{2e8, 1e8, 9e8, 4e8};
    std::vector<double> loss{4.0, 3.5, 3.1, 2.9};
    std::vector<std::span<const double>> columns{first};
    if (law.variables().size() == 2) { columns.push_back(second); }
    return make_points(columns, loss);
}

TEST(Laws, PowerPredictsByHand) {
    const Values natural{1e9, 0.5};

    const auto prediction = find_law("power").predict(natural, 1e5);

    EXPECT_DOUBLE_EQ(prediction[1].value, 100.0);  // (1e9/1e5)^0.5
}

TEST(Laws, SaturatingAddsTheFloor) {
    const auto prediction = find_law("saturating").predict({1.5, 1e9, 0.5}, 1e5);

    EXPECT_DOUBLE_EQ(prediction[1].value, 101.5);
}

TEST(Laws, ChinchillaAllocatesAsItsOptimumConditionDemands) {
    const Values natural{1.69, 406.4, 410.7, 0.34, 0.28};
    const Law& law = find_law("chinchilla");

    const auto optimum = law.predict(natural, 5.76e23);

    const double n = optimum[1].value;
    const double d = optimum[2].value;
    EXPECT_NEAR(6 * n * d, 5.76e23, 1e-12 * 5.76e23 * 4);
    // At the optimum of C = 6ND both terms' slopes agree: alpha A N^-alpha = beta B D^-beta.
    EXPECT_NEAR(0.34 * 406.4 * std::pow(n, -0.34) / (0.28 * 410.7 * std::pow(d, -0.28)), 1.0, 1e-12);
    EXPECT_NEAR(law.derived(natural)[0].value, 0.28 / 0.62, 1e-15);
}

TEST(Laws, UnknownNameListsTheKnownOnes) {
    try {
        find_law("chinchila");
        FAIL() << "accepted";
    } catch (const InputError& error) {
        EXPECT_THAT(error.what(), ::testing::HasSubstr("power, saturating, chinchilla"));
    }
}

class EveryLaw : public ::testing::TestWithParam<const Law*> {};

TEST_P(EveryLaw, GradientAndHessianMatchCentralDifferences) {
    const Law& law = *GetParam();
    const Points points = some_points(law);
    const Objective objective{Objective::Residual::log, Objective::Penalty::squares};
    const double infinite = std::numeric_limits<double>::infinity();
    const Values at = law.starts(points)[law.starts(points).size() / 2];
    const double step = std::cbrt(std::numeric_limits<double>::epsilon());

    const Expansion expansion = law.expand(at, points, objective, infinite);

    // Central differences: truncation of order step^2 and rounding of order eps/step, both near 4e-11 of the scale.
    const double tolerance = 1e-8;
    for (std::size_t j = 0; j < law.parameters().size(); ++j) {
        Values up = at;
        Values down = at;
        const double h = step * std::max(1.0, std::abs(at[j]));
        up[j] += h;
        down[j] -= h;
        const double slope =
            (law.value(up, points, objective, infinite) - law.value(down, points, objective, infinite)) / (2 * h);
        EXPECT_NEAR(expansion.gradient[j], slope, tolerance * std::max(1.0, std::abs(slope))) << law.name() << " " << j;
        const Expansion above = law.expand(up, points, objective, infinite);
        const Expansion below = law.expand(down, points, objective, infinite);
        for (std::size_t k = 0; k < law.parameters().size(); ++k) {
            const double curvature = (above.gradient[k] - below.gradient[k]) / (2 * h);
            EXPECT_NEAR(expansion.hessian[j][k], curvature, tolerance * std::max(1.0, std::abs(curvature)))
                << law.name() << " " << j << "," << k;
        }
    }
}

TEST_P(EveryLaw, NaturalParametersPredictWhatTheSearchCoordinatesDo) {
    const Law& law = *GetParam();
    const Points points = some_points(law);
    const Values at = law.starts(points).back();
    const Values natural = law.natural(at, points.centre);

    const double predicted = std::exp(law.log_loss(at, points.ln_x[1]));

    if (law.variables().size() == 1) {
        const double x = points.x(1, 0);
        EXPECT_NEAR(law.predict(natural, x)[1].value / predicted, 1.0, 1e-11);
    } else {
        const double by_hand = natural[0] + natural[1] * std::pow(points.x(1, 0), -natural[3]) +
                               natural[2] * std::pow(points.x(1, 1), -natural[4]);
        EXPECT_NEAR(by_hand / predicted, 1.0, 1e-11);
    }
}

TEST_P(EveryLaw, StartsLieWithinTheBounds) {
    const Law& law = *GetParam();
    for (const Values& start : law.starts(some_points(law))) {
        for (std::size_t k = 0; k < law.parameters().size(); ++k) {
            EXPECT_GE(start[k], law.parameters()[k].lower);
            EXPECT_LE(start[k], law.parameters()[k].upper);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Laws, EveryLaw, ::testing::ValuesIn(all_laws()),
                         [](const auto& test) { return std::string{test.param->name()}; });

TEST(HuberPenalty, IsQuadraticInsideAndLinearOutside) {
    EXPECT_DOUBLE_EQ(huber(0.5, 1.0), 0.125);
    EXPECT_DOUBLE_EQ(huber(-3.0, 1.0), 2.5);
    EXPECT_DOUBLE_EQ(huber(1.0, 1.0), 0.5);
}

TEST(ObjectiveNames, RoundTrip) {
    for (const char* name : {"huber-log", "l1-log", "ls-log", "huber-linear", "l1-linear", "ls-linear"}) {
        EXPECT_EQ(to_string(parse_objective(name, 1e-3)), name);
    }
    EXPECT_THROW(parse_objective("huber", 1e-3), InputError);
    EXPECT_THROW(parse_objective("huber-log", 0), InputError);
}

TEST(MakePoints, RefusesWhatHasNoLogarithm) {
    const std::vector<double> x{1, 2};
    const std::vector<double> loss{1, 0};
    const std::span<const double> columns[] = {x};

    EXPECT_THROW(make_points(columns, loss), InputError);
}

}  // namespace
}  // namespace loglog
