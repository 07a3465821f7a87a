#include <gmock/gmock.h>

#include <limits>
#include <map>

#include "analysis/laws/law_choice.hpp"
#include "engine/base/error.hpp"
#include "tests/analysis/synthetic_runs.hpp"

namespace loglog {
namespace {

/// Losses between 2.9 and 4 at sizes and token counts that share no line; U is a part of D, or all of it.
Points some_points(const Law& law) {
    const bool of_loss = law.name() == "error";
    const std::vector<double> size = of_loss ? std::vector{5.0, 4.1, 3.4, 2.8} : std::vector{1e6, 4e6, 9e6, 3e7};
    const std::vector<double> tokens{2e8, 1e8, 9e8, 4e8};
    const std::vector<double> unique{5e7, 1e8, 9e7, 2e8};
    const std::vector<double> loss{4.0, 3.5, 3.1, 2.9};
    std::vector<std::span<const double>> columns{size, tokens, unique};
    columns.resize(law.variables().size());
    return make_points(columns, loss);
}

/// Reported values that are plausible for each law; `error` is measured where its X is a number of the order of one.
Values plausible(std::string_view law) {
    const std::map<std::string_view, Values> values{{"power", {1e9, 0.2}},
                                                    {"saturating", {1.5, 1e8, 0.3}},
                                                    {"chinchilla", {1.69, 406.4, 410.7, 0.34, 0.28}},
                                                    {"kaplan", {8.8e13, 5.4e13, 0.076, 0.095}},
                                                    {"data-constrained", {1.87, 521, 1488, 0.35, 0.36, 15.4, 5.3}},
                                                    {"broken", {0.5, 20, 0.1, 0.4, 6e6, 0.3}},
                                                    {"lr", {1.8, -0.7, 0.3}},
                                                    {"error", {0.85, 2.1, 0.75}}};
    return values.at(law);
}

/// The formulas once more, with the reported parameters.
double by_hand(std::string_view law, const Values& p, const std::array<double, 3>& x) {
    const double n = x[0];
    const double d = x[1];
    const double u = x[2];
    if (law == "power") { return std::pow(p[0] / n, p[1]); }
    if (law == "saturating") { return p[0] + std::pow(p[1] / n, p[2]); }
    if (law == "chinchilla") { return p[0] + p[1] * std::pow(n, -p[3]) + p[2] * std::pow(d, -p[4]); }
    if (law == "kaplan") { return std::pow(std::pow(p[0] / n, p[2] / p[3]) + p[1] / d, p[3]); }
    if (law == "broken") {
        return p[0] + p[1] * std::pow(n, -p[2]) * std::pow(1 + std::pow(n / p[4], 1 / p[5]), -p[3] * p[5]);
    }
    if (law == "lr") { return p[0] * std::pow(n, p[1]) * std::pow(d, p[2]); }
    if (law == "error") { return p[0] - p[1] * std::exp(-p[2] * n); }
    const double g = std::pow(p[3] * p[1] / (p[4] * p[2]), 1 / (p[3] + p[4]));
    const double v = std::min(n, g * std::pow(u * g, p[4] / p[3]));
    const double effective_n = v + v * p[6] * (1 - std::exp(-(n / v - 1) / p[6]));
    const double effective_d = u + u * p[5] * (1 - std::exp(-(d / u - 1) / p[5]));
    return p[0] + p[1] * std::pow(effective_n, -p[3]) + p[2] * std::pow(effective_d, -p[4]);
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

TEST(Laws, KaplanAllocatesWhereItsLossIsLeast) {
    const Law& law = find_law("kaplan");
    const Values natural = plausible("kaplan");
    const double budget = 1e20;

    const auto optimum = law.predict(natural, budget);

    const double n = optimum[1].value;
    EXPECT_NEAR(6 * n * optimum[2].value / budget, 1, 1e-12);
    for (const double factor : {0.9, 1.1}) {
        const std::array place{n * factor, budget / (6 * n * factor)};
        EXPECT_GT(predict_at(law, natural, place), optimum[4].value);
    }
    EXPECT_NEAR(law.derived(natural)[0].value, 0.095 / (0.076 + 0.095), 1e-15);  // a = alphaD/(alphaN + alphaD)
}

TEST(Laws, KaplanIsChinchillaWithAnExponentAndNoFloor) {
    const Values kaplan = plausible("kaplan");
    const double r = kaplan[2] / kaplan[3];
    const auto gamma = choose_law("chinchilla", {.gamma = true});
    const std::array place{1e8, 1e10};

    const double loss = predict_at(*gamma, {0, std::pow(kaplan[0], r), kaplan[1], r, 1.0, kaplan[3]}, place);

    EXPECT_NEAR(loss / predict_at(find_law("kaplan"), kaplan, place), 1.0, 1e-12);
}

TEST(Laws, GadreIsChinchillaWithTiedExponents) {
    // E + (a M^eta + b M^-eta) C^-eta with M = D/N, C = 6ND: alpha = beta = 2 eta, A = a 6^-eta, B = b 6^-eta.
    const double e = 1.5, a = 141.3, b = 189.5, eta = 0.1212, n = 3e8, d = 2e10;
    const double m = d / n;
    const double c = 6 * n * d;

    const double loss = predict_at(
        find_law("chinchilla"), {e, a * std::pow(6, -eta), b * std::pow(6, -eta), 2 * eta, 2 * eta}, std::array{n, d});

    EXPECT_NEAR(loss, e + (a * std::pow(m, eta) + b * std::pow(m, -eta)) * std::pow(c, -eta), 1e-12);
}

TEST(Laws, WithoutRepetitionDataConstrainedIsChinchilla) {
    const Values natural = plausible("data-constrained");
    const double n = 1e8, d = 1e10;  // fewer parameters than 1e10 tokens call for

    const double loss = predict_at(find_law("data-constrained"), natural, std::array{n, d, d});

    EXPECT_NEAR(loss, predict_at(find_law("chinchilla"), natural, std::array{n, d}), 1e-12);
}

TEST(Laws, RepetitionWithoutDecayIsFree) {
    Values natural = plausible("data-constrained");
    natural[5] = natural[6] = std::numeric_limits<double>::infinity();

    const double loss = predict_at(find_law("data-constrained"), natural, std::array{1e10, 1e11, 1e9});

    EXPECT_NEAR(loss, predict_at(find_law("chinchilla"), natural, std::array{1e10, 1e11}), 1e-12);
}

TEST(LawChoice, RefusesWhatCannotBeHeld) {
    const auto message = [](std::string_view law, const LawChoice& choice) -> std::string {
        try {
            choose_law(law, choice);
        } catch (const InputError& error) { return error.what(); }
        return "accepted";
    };
    using ::testing::HasSubstr;
    EXPECT_THAT(message("chinchilla", {.fixed = {{"alpa", 0.3}}}), HasSubstr("did you mean 'alpha'?"));
    EXPECT_THAT(message("chinchilla", {.fixed = {{"E", -1.0}}}), HasSubstr("--fix E: the value must be between"));
    EXPECT_THAT(message("chinchilla", {.fixed = {{"A", 0.0}}}), HasSubstr("--fix A: the value must be positive"));
    EXPECT_THAT(message("chinchilla", {.tied = {{"A", "B"}}}), HasSubstr("'A' cannot be tied"));
    EXPECT_THAT(message("chinchilla", {.tied = {{"alpha", "beta"}, {"beta", "alpha"}}}), HasSubstr("not tied itself"));
    EXPECT_THAT(message("chinchilla", {.fixed = {{"beta", 0.3}}, .tied = {{"beta", "alpha"}}}),
                HasSubstr("'beta' is fixed too; fix 'alpha'"));
    EXPECT_THAT(message("kaplan", {.gamma = true}), HasSubstr("'kaplan' has no gamma"));
    EXPECT_THAT(message("power", {.fixed = {{"Xc", 1e9}, {"alpha", 0.1}}}), HasSubstr("nothing is left to fit"));
}

TEST(Laws, UnknownNameListsTheKnownOnes) {
    try {
        find_law("chinchila");
        FAIL() << "accepted";
    } catch (const InputError& error) {
        EXPECT_THAT(error.what(), ::testing::HasSubstr("did you mean 'chinchilla'?"));
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

TEST_P(EveryLaw, PredictsItsFormulaFromReportedParameters) {
    const Law& law = *GetParam();
    const Values natural = plausible(law.name());
    const bool of_loss = law.name() == "error";
    for (const std::array<double, 3> x :
         {std::array{3e6, 5e9, 2e9}, std::array{2e9, 8e9, 8e9}, std::array{7e7, 3e9, 1e8}}) {
        std::array<double, 3> place = x;
        if (of_loss) { place[0] = std::log10(x[0]) / 2; }

        const double predicted = predict_at(law, natural, std::span<const double>{place}.first(law.variables().size()));

        // A logarithm of 10 to 30 is exponentiated: its rounding, 30 epsilon, times the few steps around it.
        EXPECT_NEAR(predicted / by_hand(law.name(), natural, place), 1.0, 1e-13) << law.name() << " at " << place[0];
    }
}

TEST_P(EveryLaw, CoordinatesOfReportedParametersAreTheirInverse) {
    const Law& law = *GetParam();
    const Points points = some_points(law);
    const Values natural = plausible(law.name());

    const Values back = law.natural(coordinates_of(law, natural, points.centre), points.centre);

    for (std::size_t k = 0; k < law.parameters().size(); ++k) {
        EXPECT_NEAR(back[k] / natural[k], 1.0, 1e-11) << law.parameters()[k].name;
    }
}

TEST_P(EveryLaw, AnyOneParameterCanBeHeldExactly) {
    const Law& law = *GetParam();
    const Points points = some_points(law);
    const Values natural = plausible(law.name());
    const Objective objective{Objective::Residual::log, Objective::Penalty::squares};
    const double infinite = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < law.parameters().size(); ++k) {
        const std::string name{law.parameters()[k].name};
        const auto held = choose_law(law.name(), {.fixed = {{name, natural[k]}}});
        Values moved = coordinates_of(law, natural, points.centre);
        for (std::size_t j = 0; j < law.parameters().size(); ++j) {
            if (j != k) { moved[j] *= 1.01; }
        }

        EXPECT_EQ(held->natural(moved, points.centre)[k], natural[k]) << name;
        // The gradient is that of the free parameters with the held one following; its own is zero.
        const Expansion at = held->expand(moved, points, objective, infinite);
        EXPECT_EQ(at.gradient[k], 0.0) << name;
        EXPECT_EQ(at.hessian[k][k], 0.0) << name;
        Values expected = moved;
        expected[k] = coordinates_of(law, held->natural(moved, points.centre), points.centre)[k];
        const double value = law.value(expected, points, objective, infinite);
        EXPECT_NEAR(held->value(moved, points, objective, infinite), value, 1e-11 * std::max(1.0, value)) << name;
        EXPECT_EQ(free_parameters(*held), law.parameters().size() - 1);
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

INSTANTIATE_TEST_SUITE_P(Laws, EveryLaw, ::testing::ValuesIn(all_laws()), [](const auto& test) {
    std::string name{test.param->name()};
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
});

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
