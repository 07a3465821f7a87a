#include "analysis/inference/inference.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "analysis/fit/rounded.hpp"
#include "analysis/inference/checks.hpp"
#include "analysis/inference/study.hpp"
#include "engine/base/error.hpp"
#include "tests/analysis/synthetic_runs.hpp"

namespace loglog {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> codes(const Inference& inference) {
    std::vector<std::string> result;
    for (const auto& warning : inference.warnings) { result.push_back(warning.code); }
    return result;
}

InferenceOptions with_resamples(int resamples) {
    InferenceOptions options;
    options.bootstrap = {resamples, Seed{2}, 2};
    return options;
}

Points on_a_ray(double noise) {
    std::vector<double> n, d, loss;
    const Random random{Seed{8}, Stream::synthetic_data};
    for (int i = 0; i < 20; ++i) {
        n.push_back(1e6 * std::pow(1.5, i));
        d.push_back(20 * n.back());
        loss.push_back((1.7 + 400 * std::pow(n.back(), -0.34) + 600 * std::pow(d.back(), -0.3)) *
                       std::exp(noise * random.normal(static_cast<std::uint64_t>(i))));
    }
    const std::span<const double> columns[] = {n, d};
    return make_points(columns, loss);
}

TEST(Infer, IntervalsHoldTheTruthOfWellDesignedRunsWithoutCaveats) {
    SyntheticRuns runs;
    runs.fill(7, 7, 0.002, Seed{21});

    const Inference inference = infer(find_law("chinchilla"), runs.points(), with_resamples(400));

    EXPECT_THAT(codes(inference), ::testing::IsEmpty());
    for (const auto& [name, truth] : {std::pair{"alpha", 0.34}, std::pair{"beta", 0.3}, std::pair{"E", 1.7}}) {
        const Estimate& e = inference.estimate(name);
        // Six standard errors: an interval of two would miss the truth in one data set of twenty.
        EXPECT_NEAR(e.value, truth, 6 * e.se) << name;
        EXPECT_LT(e.low, e.value);
        EXPECT_GT(e.high, e.value);
    }
}

TEST(Infer, RefusesWhereNAndDMoveTogether) {
    EXPECT_THROW(infer(find_law("chinchilla"), on_a_ray(0.001), with_resamples(200)), InputError);
}

TEST(Infer, WarnsOfFewPointsFewSizesAndANarrowRange) {
    SyntheticRuns runs;
    runs.n = {1e6, 1e6, 1e6, 2e6, 2e6, 2e6};
    runs.d = {1e8, 3e8, 9e8, 1e8, 3e8, 9e8};
    for (std::size_t i = 0; i < 6; ++i) {
        runs.loss.push_back(1.7 + 400 * std::pow(runs.n[i], -0.34) + 600 * std::pow(runs.d[i], -0.3));
    }

    const auto found = codes(infer(find_law("chinchilla"), runs.points(), with_resamples(0)));

    EXPECT_THAT(found, Contains("few_points"));
    EXPECT_THAT(found, Contains("few_sizes"));
    EXPECT_THAT(found, Contains("narrow_range"));
}

TEST(Infer, SaysWhenTheFloorIsNotIdentified) {
    const Points points = saturating_points(0.0, 1e12, 0.08, 8, 0.01, Seed{3});

    const Inference inference = infer(find_law("saturating"), points, with_resamples(300));

    EXPECT_THAT(codes(inference), Contains("floor_not_identified"));
}

TEST(Infer, SaysThatTheFloorIsNotIdentifiedWhereOnlyItsProfileReachesZero) {
    // Four points of a curve with a floor, 1% off: three parameters can do without it.
    const Points points = saturating_points(1.7, 1e7, 0.3, 4, 0.01, Seed{3});

    const Inference inference = infer(find_law("saturating"), points, with_resamples(0));

    ASSERT_EQ(inference.profiles.intervals.at(0).low, 0);
    EXPECT_THAT(codes(inference), Contains("floor_not_identified"));
    EXPECT_THAT(codes(inference), Contains("wide_interval"));
}

TEST(Infer, GivesNoIntervalWhereAsManyPointsAsParametersCount) {
    Points points = saturating_points(0, 1e12, 0.08, 4, 0.01);
    points.weight = {2, 2, 0, 0};
    InferenceOptions options = with_resamples(300);
    options.budgets = {1e10};

    const Inference inference = infer(find_law("power"), points, options);

    EXPECT_TRUE(std::isnan(inference.estimate("alpha").se));
    EXPECT_TRUE(std::isnan(inference.estimate("alpha").low));
    EXPECT_TRUE(std::isnan(inference.predictions.at(0).back().estimate.high));
    EXPECT_THAT(codes(inference), Contains("few_points"));
    EXPECT_THAT(codes(inference), Not(Contains("few_resamples")));

    points.weight = {1, 1, 1, 0};
    EXPECT_GT(infer(find_law("power"), points, options).estimate("alpha").se, 0);
}

TEST(Infer, SaysWhereAnEstimateLiesOutsideItsOwnInterval) {
    const std::vector<NamedEstimate> estimates{{"E", {1.7, 0.1, 1.5, 1.9}}, {"alpha", {6.8, 1.4, 0.1, 5.9}}};
    const std::vector<std::vector<NamedEstimate>> predictions{
        {{"C", {1e20, NAN, NAN, NAN}}, {"loss", {2, 0.1, 2.1, 2.2}}}};
    std::vector<Warning> found;
    check_inside(estimates, predictions, found);

    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].code, "outside_interval");
    EXPECT_THAT(found[0].text, HasSubstr("alpha = 6.8 outside of 0.1 to 5.9; loss at C = 1e+20 = 2"));
    found.clear();
    check_inside({estimates[0], {"b", {2, 0, 2 + 1e-12, 2 + 1e-12}}}, {}, found);
    EXPECT_TRUE(found.empty());
}

TEST(Infer, AnInfiniteConditionIsToldInWords) {
    std::vector<Warning> found;
    check_condition(1e4, found);
    EXPECT_TRUE(found.empty());
    check_condition(INFINITY, found);
    EXPECT_THAT(found.at(0).text, Not(HasSubstr("inf")));
}

TEST(Infer, JsonHasTheDocumentedForm) {
    SyntheticRuns runs;
    runs.fill(4, 4, 0.003, Seed{5});
    InferenceOptions options = with_resamples(50);
    options.budgets = {1e18};
    options.excluded = {{"r1", "state is diverged"}};

    const auto json = nlohmann::json::parse(to_json(infer(find_law("chinchilla"), runs.points(), options)));

    EXPECT_EQ(json.at("law"), "chinchilla");
    EXPECT_EQ(json.at("objective").at("name"), "huber-log");
    EXPECT_EQ(json.at("objective").at("delta"), 1e-3);
    EXPECT_TRUE(json.at("objective").at("value").is_number());
    EXPECT_EQ(json.at("n_points"), 16);
    EXPECT_GE(json.at("starts").at("n"), json.at("starts").at("agreeing"));
    for (const char* name : {"E", "A", "B", "alpha", "beta"}) {
        for (const char* key : {"value", "se", "low", "high"}) {
            EXPECT_TRUE(json.at("parameters").at(name).at(key).is_number()) << name << " " << key;
        }
    }
    for (const char* name : {"a", "b", "G"}) { EXPECT_TRUE(json.at("derived").at(name).at("low").is_number()); }
    EXPECT_EQ(json.at("predictions").at(0).at("C"), 1e18);
    EXPECT_TRUE(json.at("predictions").at(0).at("loss").at("high").is_number());
    EXPECT_EQ(json.at("excluded").at(0).at("reason"), "state is diverged");
    EXPECT_EQ(json.at("warnings").at(0).at("code"), "few_resamples");
}

TEST(Infer, WithoutResamplingIntervalsAreNull) {
    const Inference inference = infer(find_law("power"), saturating_points(0, 1e12, 0.08, 8), with_resamples(0));

    const auto json = nlohmann::json::parse(to_json(inference));

    EXPECT_TRUE(json.at("parameters").at("alpha").at("se").is_null());
    EXPECT_NEAR(json.at("parameters").at("alpha").at("value").get<double>(), 0.08, 1e-9);
}

TEST(HoldOut, PredictsTheLargestSizesOfALawThatHolds) {
    const Points points = saturating_points(1.2, 3e8, 0.25, 8);

    const HoldOut held = hold_out_largest(find_law("saturating"), points, Objective{}, 0, "N", 2, 1);

    EXPECT_EQ(held.n_points, 2u);
    EXPECT_EQ(held.values.size(), 2u);
    for (const double value : held.values) { EXPECT_EQ(rounded(value), value); }
    EXPECT_NEAR(held.worst_error_nats, 0, 1e-8);
}

TEST(HoldOut, ShowsThatAPureLineMissesAFloor) {
    const HoldOut held =
        hold_out_largest(find_law("power"), saturating_points(1.2, 3e8, 0.25, 8), Objective{}, 0, "N", 2, 1);

    EXPECT_LT(held.mean_error_nats, -0.05);  // the line goes on falling
}

TEST(HoldOut, RefusesToHoldOutEverything) {
    EXPECT_THROW(hold_out_largest(find_law("power"), saturating_points(1, 1e8, 0.2, 4), Objective{}, 0, "N", 4, 1),
                 InputError);
}

Dataset grid_csv() {
    std::istringstream in{
        "params,tokens,flops,loss\n"
        "1e6,1e8,6e14,5\n1e6,1e9,6e15,4.4\n4e6,1e8,2.4e15,4.6\n4e6,1e9,2.4e16,4\n16e6,1e8,9.6e15,4.3\n16e6,1e9,9.6e16,"
        "3.7\n"};
    return read_csv(in, "grid.csv");
}

TEST(Answer, LawsOfOneVariableUseTheLongestRunsOfEachSize) {
    Question question;
    question.law = "power";
    question.x = "N";
    question.inference = with_resamples(0);

    const Inference frontier = answer(grid_csv(), question);
    question.points = PointChoice::all;
    const Inference all = answer(grid_csv(), question);

    EXPECT_EQ(frontier.points.size(), 3u);
    EXPECT_EQ(frontier.excluded.size(), 3u);
    EXPECT_EQ(frontier.excluded[0].id, "line 2");
    EXPECT_EQ(all.points.size(), 6u);
    EXPECT_THAT(to_text(frontier), HasSubstr("left out: 3 (not the largest D at its N)"));
}

TEST(Answer, LawsOfComputeUseTheLowerEnvelope) {
    Question question;
    question.law = "power";
    question.x = "C";
    question.inference = with_resamples(0);

    const Inference inference = answer(grid_csv(), question);

    // 6e14: 5, 2.4e15: 4.6, 6e15: 4.4, 9.6e15: 4.3, 2.4e16: 4, 9.6e16: 3.7: each lower than all cheaper ones.
    EXPECT_EQ(inference.points.size(), 6u);
    EXPECT_EQ(inference.variable, "C");
}

TEST(Answer, RefusesAnUnknownVariable) {
    Question question;
    question.law = "power";
    question.x = "M";

    EXPECT_THROW(answer(grid_csv(), question), InputError);
}

}  // namespace
}  // namespace loglog
