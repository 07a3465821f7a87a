#include "analysis/curve/curve_fit.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <sstream>

#include "analysis/curve/curve_rows.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;

enum class Shape { constant, cosine, step, linear };

/// Warm-up of 50 steps, then 3e-4, falling to a tenth as the shape says; a loss every 20 steps.
Curve schedule(const char* name, Shape shape, std::size_t steps, double share = 0.6) {
    Curve curve{name, {0.0}, {}, {}};
    const double peak = 3e-4;
    for (std::size_t k = 1; k <= steps; ++k) {
        const double x = static_cast<double>(k) / static_cast<double>(steps);
        double rate = peak;
        if (shape == Shape::cosine) { rate = peak * (0.55 + 0.45 * std::cos(std::numbers::pi * x)); }
        if (shape == Shape::step && x > share) { rate = 0.3 * peak; }
        if (shape == Shape::linear && x > share) { rate = peak * (1 - 0.9 * (x - share) / (1 - share)); }
        curve.rates.push_back(k < 50 ? peak * static_cast<double>(k) / 50 : rate);
        if (k >= 60 && k % 20 == 0) { curve.steps.push_back(k); }
    }
    return curve;
}

const CurveValues truth{2.8, 0.4, 0.5, 400, 2.0, 0.5, 0.6};

Curve measured(const CurveForm& form, const CurveValues& parameters, Curve curve, double noise = 0) {
    curve.losses = predicted_losses(form, parameters, curve);
    const Random random{Seed{3}, Stream::synthetic_data, name_hash(curve.name)};
    for (std::size_t i = 0; i < curve.losses.size(); ++i) { curve.losses[i] *= std::exp(noise * random.normal(i)); }
    return curve;
}

CurveFitOptions no_resamples() {
    CurveFitOptions options;
    options.bootstrap.resamples = 0;
    return options;
}

TEST(DropTree, TermsSumToTheStepByStepSum) {
    for (const Shape shape : {Shape::constant, Shape::cosine, Shape::step, Shape::linear}) {
        const Curve curve = schedule("any", shape, 3000);
        const DropTree tree{curve.rates};
        for (const std::size_t t : {1u, 49u, 51u, 777u, 1801u, 3000u}) {
            double expected = 0;
            double moved = 0;
            for (std::size_t k = 1; k <= t; ++k) {
                double sum = 0;
                for (std::size_t j = k; j <= t; ++j) { sum += curve.rates[j]; }
                const double x = 2 * std::pow(curve.rates[k], -0.6) * sum;
                moved += std::abs(curve.rates[k - 1] - curve.rates[k]);
                expected += (curve.rates[k - 1] - curve.rates[k]) * (1 - std::pow(1 + x, -0.5));
            }

            double sum = 0;
            for (const auto& [weight, ln_rate, ln_sum] : tree.terms(t)) {
                sum += weight * (1 - std::pow(1 + 2 * std::exp(ln_sum - 0.6 * ln_rate), -0.5));
            }

            EXPECT_NEAR(sum, expected, 1e-5 * moved) << "up to step " << t;
            EXPECT_LE(tree.terms(t).size(), 300u);
        }
    }
}

TEST(CurveForms, DerivativesMatchCentralDifferences) {
    const Curve curve = schedule("cosine", Shape::cosine, 400);
    const CurveCentre centre{-2.5, -8.5};
    for (const char* name : {"multi-power", "annealing"}) {
        const CurveForm& form = find_curve_form(name);
        const CurveValues parameters = name[0] == 'm' ? truth : CurveValues{2.8, 0.4, 0.5, 0.4};
        const CurveValues q = form.coordinates(parameters, centre);
        const Exposure exposure = form.exposures(curve).back();
        const ExpandedLoss at = form.expand(q, exposure, centre);
        for (std::size_t k = 0; k < form.parameters().size(); ++k) {
            const double step = 6e-6 * std::max(1.0, std::abs(q[k]));  // cbrt of epsilon
            CurveValues up = q;
            CurveValues down = q;
            up[k] += step;
            down[k] -= step;
            const double slope = (form.loss(up, exposure, centre) - form.loss(down, exposure, centre)) / (2 * step);
            EXPECT_NEAR(at.gradient[k], slope, 1e-8) << name << " " << form.parameters()[k].name;
            const ExpandedLoss above = form.expand(up, exposure, centre);
            const ExpandedLoss below = form.expand(down, exposure, centre);
            for (std::size_t j = 0; j < form.parameters().size(); ++j) {
                EXPECT_NEAR(at.hessian[j][k], (above.gradient[j] - below.gradient[j]) / (2 * step), 1e-8);
            }
        }
    }
}

TEST(CurveFit, FindsTheParametersThatMadeNoiseFreeCurves) {
    for (const char* name : {"multi-power", "annealing"}) {
        const CurveForm& form = find_curve_form(name);
        const CurveValues parameters = name[0] == 'm' ? truth : CurveValues{2.8, 0.4, 0.5, 0.4};
        const Curve train[] = {measured(form, parameters, schedule("constant", Shape::constant, 3000)),
                               measured(form, parameters, schedule("cosine", Shape::cosine, 3000)),
                               measured(form, parameters, schedule("step", Shape::step, 3000))};
        const Curve test[] = {measured(form, parameters, schedule("linear", Shape::linear, 6000))};

        const CurveFit fit = fit_curves(form, train, test, no_resamples());

        for (std::size_t k = 0; k < form.parameters().size(); ++k) {
            EXPECT_NEAR(fit.natural[k] / parameters[k], 1, 1e-4) << name << " " << fit.parameters[k].name;
        }
        EXPECT_NEAR(fit.test[0].r2, 1, 1e-8);
        EXPECT_GE(fit.agreeing, fit.starts / 2);
        EXPECT_THAT(fit.warnings, Contains(Field(&Warning::code, "repeated_run")));
        EXPECT_THAT(fit.warnings, Contains(Field(&Warning::code, "few_runs")));
        EXPECT_TRUE(std::isnan(fit.parameters[0].estimate.low));
    }
}

TEST(CurveFit, IntervalsComeFromWholeRunsWhereThereAreEnough) {
    const CurveForm& form = find_curve_form("annealing");
    const CurveValues parameters{2.8, 0.4, 0.5, 0.4};
    std::vector<Curve> train;
    for (const auto& [name, shape, share] : {std::tuple{"a", Shape::constant, 0.0},
                                             {"b", Shape::cosine, 0.0},
                                             {"c", Shape::step, 0.3},
                                             {"d", Shape::step, 0.6},
                                             {"e", Shape::linear, 0.5},
                                             {"f", Shape::linear, 0.8}}) {
        train.push_back(measured(form, parameters, schedule(name, shape, 2000, share), 1e-3));
    }
    CurveFitOptions options;
    options.bootstrap.resamples = 100;

    const CurveFit fit = fit_curves(form, train, {}, options);

    EXPECT_GT(fit.resampled.size(), 90u);
    EXPECT_GT(fit.parameters[0].estimate.se, 0);
    EXPECT_LT(fit.parameters[0].estimate.low, 2.8);
    EXPECT_GT(fit.parameters[0].estimate.high, 2.8);
    EXPECT_THAT(fit.warnings, Not(Contains(Field(&Warning::code, "few_runs"))));
    options.bootstrap.threads = 2;
    EXPECT_EQ(fit_curves(form, train, {}, options).parameters[0].estimate.se, fit.parameters[0].estimate.se);
}

TEST(CurveFit, OneScheduleIsWarnedOfAndNoDecayIsRefused) {
    const CurveForm& form = find_curve_form("annealing");
    const Curve cosine[] = {measured(form, {2.8, 0.4, 0.5, 0.4}, schedule("cosine", Shape::cosine, 1000))};
    const Curve constant[] = {measured(form, {2.8, 0.4, 0.5, 0.4}, schedule("constant", Shape::constant, 1000))};

    EXPECT_THAT(fit_curves(form, cosine, {}, no_resamples()).warnings, Contains(Field(&Warning::code, "one_schedule")));
    EXPECT_THROW(fit_curves(form, constant, {}, no_resamples()), InputError);
}

/// A constant, a cosine and a step schedule as the form gives them.
std::vector<Curve> three_schedules(const CurveForm& form, const CurveValues& parameters, double noise) {
    return {measured(form, parameters, schedule("constant", Shape::constant, 600), noise),
            measured(form, parameters, schedule("cosine", Shape::cosine, 600), noise),
            measured(form, parameters, schedule("step", Shape::step, 600), noise)};
}

TEST(FormChoice, FindsTheFormThatMadeTheCurves) {
    for (const char* name : {"multi-power", "annealing"}) {
        const CurveForm& form = find_curve_form(name);
        const CurveValues parameters = name[0] == 'm' ? truth : CurveValues{2.8, 0.4, 0.5, 2};

        const FormChoice choice = choose_form(three_schedules(form, parameters, 1e-4), no_resamples());

        EXPECT_EQ(choice.chosen->name(), name);
        EXPECT_TRUE(choice.is_scored);
        EXPECT_EQ(choice.usable_folds, 3u);
        EXPECT_THAT(choice.note, HasSubstr("the form is " + std::string{name}));
    }
}

TEST(FormChoice, AFoldWithoutAFallingRateCountsForNoForm) {
    const CurveForm& form = find_curve_form("multi-power");
    auto curves = three_schedules(form, truth, 1e-4);
    curves.pop_back();

    const CurveFit fit = fit_chosen_form(curves, {}, no_resamples());

    const FormChoice& choice = fit.form_choice.value();
    ASSERT_EQ(choice.folds.size(), 2u);
    EXPECT_EQ(choice.folds[0].failure, "");
    EXPECT_THAT(choice.folds[1].failure, HasSubstr("falls in none"));
    for (const FormScore& one : choice.forms) {
        EXPECT_GT(one.fold_error[0], 0);
        EXPECT_TRUE(std::isnan(one.fold_error[1]));
    }
    EXPECT_FALSE(choice.is_scored);
    EXPECT_EQ(fit.form->name(), "multi-power");
    EXPECT_THAT(fit.warnings, Contains(AllOf(Field(&Warning::code, "form_not_chosen"),
                                             Field(&Warning::text, HasSubstr("1 of 2 schedules could be left out")))));
}

TEST(FormChoice, RepeatedSchedulesAreLeftOutTogether) {
    const CurveForm& form = find_curve_form("annealing");
    auto curves = three_schedules(form, {2.8, 0.4, 0.5, 2}, 1e-4);
    curves.push_back(measured(form, {2.8, 0.4, 0.5, 2}, schedule("cosine", Shape::cosine, 600), 2e-4));
    curves.back().name = "cosine again";

    const FormChoice choice = choose_form(curves, no_resamples());

    ASSERT_EQ(choice.folds.size(), 3u);
    EXPECT_EQ(choice.folds[1].left_out, (std::vector<std::string>{"cosine", "cosine again"}));
    EXPECT_EQ(choice.folds[1].n_points, 2 * choice.folds[0].n_points);
}

TEST(FormChoice, ManySchedulesAreDealtToEightFolds) {
    const CurveForm& form = find_curve_form("annealing");
    std::vector<Curve> curves;
    for (std::size_t i = 0; i < 9; ++i) {
        const double share = 0.3 + 0.05 * static_cast<double>(i);
        curves.push_back(measured(form, {2.8, 0.4, 0.5, 2}, schedule("step", Shape::step, 160, share), 1e-4));
        curves.back().name = std::to_string(i);
    }

    const FormChoice choice = choose_form(curves, no_resamples());

    ASSERT_EQ(choice.folds.size(), 8u);
    EXPECT_EQ(choice.folds[0].left_out, (std::vector<std::string>{"0", "8"}));
    EXPECT_EQ(choice.folds[7].left_out, (std::vector<std::string>{"7"}));
}

TEST(FormChoice, IsToldInTextAndJson) {
    const CurveForm& form = find_curve_form("annealing");
    const CurveFit fit = fit_chosen_form(three_schedules(form, {2.8, 0.4, 0.5, 2}, 1e-4), {}, no_resamples());

    const auto json = nlohmann::json::parse(to_json(fit)).at("form_choice");
    EXPECT_EQ(json.at("chosen"), "annealing");
    EXPECT_EQ(json.at("scored"), true);
    EXPECT_TRUE(json.at("skipped").empty());
    ASSERT_EQ(json.at("forms").size(), 2u);
    EXPECT_EQ(json.at("forms").at(1).at("form"), "annealing");
    EXPECT_EQ(json.at("forms").at(1).at("folds").at(1).at("left_out").at(0), "cosine");
    EXPECT_LT(json.at("forms").at(1).at("score"), json.at("forms").at(0).at("score"));
    EXPECT_THAT(to_text(fit), HasSubstr(fit.form_choice->note));
    EXPECT_THAT(fit.warnings, Not(Contains(Field(&Warning::code, "form_not_chosen"))));
    EXPECT_FALSE(nlohmann::json::parse(
                     to_json(fit_curves(form, three_schedules(form, {2.8, 0.4, 0.5, 2}, 1e-4), {}, no_resamples())))
                     .contains("form_choice"));
}

std::string problem_of(const std::string& csv, const std::string& train = {}) {
    std::istringstream in{csv};
    try {
        logged_curves(read_csv(in, "table.csv"), {{}, train});
    } catch (const InputError& error) { return error.what(); }
    return "no error";
}

TEST(CurveRows, BadCellsAreToldWithTheirRows) {
    EXPECT_THAT(problem_of("schedule,step,learning,loss\na,1,1e-3,3\n"), HasSubstr("no column 'lr'"));
    EXPECT_THAT(problem_of("schedule,step,lrs,loss\na,1,1e-3,3\n"), HasSubstr("did you mean 'lrs'?"));
    EXPECT_THAT(problem_of("schedule,step,lr,loss\na,1,0,3\n"), HasSubstr("line 2: column 'lr' holds '0'"));
    EXPECT_THAT(problem_of("schedule,step,lr,loss\na,1,-1e-3,3\n"), HasSubstr("must be a positive learning rate"));
    EXPECT_THAT(problem_of("schedule,step,lr,loss\na,1,1e-3,nan\n"), HasSubstr("column 'loss' holds 'nan'"));
    EXPECT_THAT(problem_of("schedule,step,lr,loss\na,2,1e-3,3\na,1,1e-3,3\n"),
                HasSubstr("line 3: step 1 of 'a' follows step 2"));
    EXPECT_THAT(problem_of("schedule,step,lr,loss\na,1,1e-3,3\n", "schedule = 'b'"), HasSubstr("--train"));
}

TEST(CurveRows, WarmUpLossesAreLeftOutAndRowsWithoutLossTellTheRate) {
    std::istringstream in{
        "run,step,lr,loss\n"
        "a,1,1e-4,9\na,2,2e-4,8\na,3,2e-4,\na,4,2e-4,5\na,6,1e-4,4\n"
        "b,1,1e-4,\nb,5,2e-4,\n"};
    const auto logs = logged_curves(read_csv(in, "table.csv"), {});

    const CurveSet set = curve_set(logs, 0);

    ASSERT_EQ(set.train.size(), 1u);
    EXPECT_EQ(set.train[0].steps, (std::vector<std::size_t>{2, 4, 6}));
    EXPECT_EQ(set.excluded.size(), 1u);
    ASSERT_EQ(set.unmeasured.size(), 1u);
    EXPECT_EQ(set.unmeasured[0].name, "b");
}

TEST(RateSteps, KeepJumpsAndCornersBetweenLoggedSteps) {
    const LoggedRate jump[] = {{10, 1.0}, {20, 1.0}, {30, 0.5}, {40, 0.5}};
    EXPECT_DOUBLE_EQ(rate_steps(jump, 0)[29], 1.0);
    EXPECT_DOUBLE_EQ(rate_steps(jump, 0)[5], 0.5);
    EXPECT_DOUBLE_EQ(rate_steps(jump, 5)[2], 0.5);

    const LoggedRate corner[] = {{10, 1.0}, {20, 1.0}, {30, 0.9}, {40, 0.7}, {50, 0.5}};  // falls from step 25 on
    EXPECT_DOUBLE_EQ(rate_steps(corner, 0)[24], 1.0);
    EXPECT_NEAR(rate_steps(corner, 0)[27], 0.96, 1e-12);
}

}  // namespace
}  // namespace loglog
