#include "analysis/attention/comparison.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "analysis/attention/break_even.hpp"
#include "engine/base/error.hpp"
#include "tests/analysis/attention/comparison_case.hpp"

namespace loglog {
namespace {

using ::testing::AllOf;
using testing::codes;
using testing::compare_options;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::variant;

std::string refusal(const std::vector<ComparedRun>& runs, const CompareOptions& chosen = compare_options()) {
    try {
        compare_attention(runs, chosen);
    } catch (const InputError& error) { return error.what(); }
    return "";
}

TEST(CompareAttention, RecoversKnownMultipliers) {
    const Comparison c = compare_attention(SyntheticComparison{}.runs(), compare_options());

    ASSERT_EQ(c.variants.size(), 4u);
    EXPECT_EQ(c.variants[0].name, "dense");
    EXPECT_EQ(c.variants[1].name, "gdn");
    EXPECT_EQ(c.variants[3].name, "dense-aa");
    EXPECT_EQ(c.compared, 24u);
    EXPECT_EQ(c.headline().axis, CostAxis::flops);
    const std::vector<double> truth{1, 1.25, 0.8, 1};
    for (std::size_t v = 0; v < 4; ++v) {
        ASSERT_EQ(c.headline().multipliers[v].size(), 2u);
        const Estimate& e = c.headline().multipliers[v][0].estimate;
        EXPECT_LE(e.low, truth[v]) << v;
        EXPECT_GE(e.high, truth[v]) << v;
        EXPECT_LT(e.high - e.low, 0.5) << v;
    }
    EXPECT_EQ(c.headline().multipliers[0][0].estimate.low, 1);
    EXPECT_LE(c.headline().exponents[1].low, 0.07);
    EXPECT_GE(c.headline().exponents[1].high, 0.07);
    EXPECT_NEAR(variant(c, "gdn").sizes[1].difference.value,
                variant(c, "gdn").sizes[1].loss - variant(c, "dense").sizes[1].loss, 1e-12);
}

TEST(CompareAttention, HoldsTheTruthInMostOfManySweeps) {
    int held = 0, controls_held = 0;
    constexpr int experiments = 200;
    for (int i = 0; i < experiments; ++i) {
        SyntheticComparison sweep;
        sweep.experiment = static_cast<std::uint64_t>(i);
        sweep.with_searches = false;
        CompareOptions chosen = compare_options(150);
        chosen.bootstrap.threads = 1;
        const Comparison c = compare_attention(sweep.runs(), chosen);
        for (const auto& [v, truth] : {std::pair{1, 1.25}, std::pair{2, 0.8}}) {
            const Estimate& e = c.headline().multipliers[static_cast<std::size_t>(v)].front().estimate;
            held += e.low <= truth && truth <= e.high ? 1 : 0;
        }
        controls_held += ::testing::Value(codes(c.warnings), Contains("control_differs")) ? 0 : 1;
    }

    EXPECT_GE(held, 0.90 * 2 * experiments);
    EXPECT_LE(held, 0.99 * 2 * experiments);
    EXPECT_GE(controls_held, 0.88 * experiments);  // both losses' intervals must hold 1
}

TEST(CompareAttention, LeavesOutARunWhoseNumbersAreNotFinite) {
    auto runs = SyntheticComparison{}.runs();
    const auto main = std::find_if(runs.begin(), runs.end(), [](const auto& run) { return run.record.name == "main"; });
    main->record.final_val_loss = std::numeric_limits<double>::infinity();
    main->record.id = "broken";
    std::find_if(runs.begin(), runs.end(), [](const auto& run) {
        return run.record.name == "lr-search";
    })->record.final_val_loss = std::numeric_limits<double>::infinity();

    const Comparison c = compare_attention(runs, compare_options());

    ASSERT_EQ(c.failures.size(), 2u);
    EXPECT_THAT(c.failures, Contains(::testing::FieldsAre("broken", "dense, main: with a validation loss of inf")));
    for (const auto& test : c.headline().tests) { EXPECT_GE(test.p, 0); }
}

TEST(CompareAttention, NamesWhatAllRunsLack) {
    auto runs = SyntheticComparison{}.runs();
    for (auto& run : runs) {
        run.record.name.clear();
        run.record.layers.reset();
        run.record.width.reset();
    }
    runs.front().record.state = RunState::diverged;

    EXPECT_THAT(refusal(runs), AllOf(HasSubstr(std::to_string(runs.size() - 1) + " without layers and width"),
                                     HasSubstr("1 diverged"), HasSubstr("--map width=COLUMN")));
}

TEST(CompareAttention, FindsAControlThatIsNoCopy) {
    SyntheticComparison sweep;
    sweep.kinds[3].multiplier = 1.5;

    const Comparison c = compare_attention(sweep.runs(), compare_options());

    EXPECT_THAT(codes(c.warnings), Contains("control_differs"));
    EXPECT_THAT(findings(c), Contains(AllOf(HasSubstr("dense-aa"), HasSubstr("misses 1"))));
}

TEST(CompareAttention, TellsCasesWithAndWithoutAFloor) {
    SyntheticComparison sweep;
    sweep.widths = {64, 128, 256, 512, 1024};
    sweep.floor = 2;
    sweep.exponent = 0.2;
    sweep.own_noise = sweep.shared_noise = 0.0003;

    const Comparison with = compare_attention(sweep.runs(), compare_options());
    sweep.floor = 0;
    sweep.exponent = 0.05;
    const Comparison without = compare_attention(sweep.runs(), compare_options());

    EXPECT_TRUE(with.headline().floor_identified);
    EXPECT_NEAR(with.headline().floor.value, 2, 0.1);
    EXPECT_EQ(with.headline().fit.sharing.floor, Sharing::Floor::shared);
    EXPECT_FALSE(without.headline().floor_identified);
    EXPECT_EQ(without.headline().fit.sharing.floor, Sharing::Floor::none);
    EXPECT_THAT(codes(without.warnings), Contains("floor_not_identified"));
}

TEST(CompareAttention, StatesMultipliersAtTheLossesAskedFor) {
    CompareOptions chosen = compare_options();
    chosen.losses = {3.3, 1.5};

    const Comparison c = compare_attention(SyntheticComparison{}.runs(), chosen);

    EXPECT_FALSE(c.headline().multipliers[1][0].extrapolated);
    EXPECT_TRUE(c.headline().multipliers[1][1].extrapolated);
    EXPECT_THAT(codes(c.warnings), Contains("extrapolated"));
}

TEST(CompareAttention, AnalysesEveryAxis) {
    CompareOptions chosen = compare_options();
    chosen.axis = CostAxis::parameters;
    auto runs = SyntheticComparison{}.runs();

    const Comparison c = compare_attention(runs, chosen);
    runs[0].record.seconds.reset();
    const Comparison without_seconds = compare_attention(runs, chosen);

    ASSERT_EQ(c.axes.size(), 3u);
    EXPECT_EQ(c.headline().axis, CostAxis::parameters);
    // Equal parameters, loss by FLOPs: with C ~ N^2 the multiplier is about sqrt(1.25 x 1.02).
    EXPECT_NEAR(c.headline().multipliers[1][0].estimate.value, std::sqrt(1.25 * 1.02), 0.06);
    EXPECT_EQ(c.axes[2].axis, CostAxis::seconds);
    EXPECT_TRUE(c.axes[2].failure.empty());
    EXPECT_THAT(without_seconds.axes[2].failure, HasSubstr("not all runs know their seconds"));
    chosen.axis = CostAxis::seconds;
    EXPECT_THAT(refusal(runs, chosen), HasSubstr("not all runs know their seconds"));
}

TEST(CompareAttention, PairsAControlOfOtherSeedsInOrder) {
    const auto runs = SyntheticComparison{}.runs();

    const RunGroups groups = group_runs(runs, "dense");

    EXPECT_EQ(groups.rows, 6);
    EXPECT_TRUE(groups.variants[1].is_paired);
    EXPECT_TRUE(groups.variants[3].is_control);
    for (std::size_t i = 0; i < 6; ++i) {
        EXPECT_EQ(groups.variants[3].placed[i].row, groups.variants[0].placed[i].row);
        EXPECT_EQ(runs[groups.variants[3].placed[i].run].record.seed,
                  *runs[groups.variants[0].placed[i].run].record.seed + 100);
    }
}

TEST(CompareAttention, GoesOnWithGapsAndListsThem) {
    SyntheticComparison sweep;
    sweep.with_searches = false;
    auto runs = sweep.runs();
    runs[7].record.state = RunState::diverged;  // gdn at the smallest size, second seed
    runs[7].record.state_reason = "loss is NaN at step 17";
    runs[8].record.attention = "gdn";

    const Comparison c = compare_attention(runs, compare_options());

    EXPECT_EQ(c.compared, 23u);
    ASSERT_EQ(c.failures.size(), 1u);
    EXPECT_EQ(c.failures[0].reason, "gdn, main: diverged: loss is NaN at step 17");
    EXPECT_EQ(variant(c, "gdn").sizes[0].runs, 1);
    EXPECT_TRUE(std::isnan(variant(c, "gdn").sizes[0].difference.low));
    EXPECT_TRUE(std::isfinite(c.headline().multipliers[1][0].estimate.low));
    EXPECT_THAT(to_text(c), HasSubstr("loss is NaN at step 17"));
}

TEST(CompareAttention, TakesTheBestRateOfAnUnnamedGrid) {
    SyntheticComparison sweep;
    sweep.with_searches = false;
    auto runs = sweep.runs();
    const auto count = runs.size();
    for (std::size_t i = 0; i < count; ++i) {
        ComparedRun worse = runs[i];
        worse.record.id += "-w";
        worse.record.lr = 1e-3;
        *worse.record.final_val_loss += 0.2;
        runs.push_back(worse);
    }

    const Comparison c = compare_attention(runs, compare_options());

    EXPECT_EQ(c.compared, 24u);
    EXPECT_EQ(variant(c, "gdn").tuning.chosen, 4e-3);
    ASSERT_EQ(variant(c, "gdn").tuning.search.size(), 3u);
    EXPECT_EQ(variant(c, "gdn").tuning.search[0].points.size(), 2u);
}

TEST(CompareAttention, RefusesWhatCannotBeCompared) {
    SyntheticComparison sweep;
    auto failed = sweep.runs();
    for (auto& run : failed) { run.record.state = RunState::failed; }
    SyntheticComparison alone = sweep;
    alone.kinds.resize(1);
    SyntheticComparison one_size = sweep;
    one_size.widths = {64};
    CompareOptions other = compare_options();
    other.baseline = "moba";

    EXPECT_THAT(refusal({}), HasSubstr("no run was chosen"));
    EXPECT_THAT(refusal(failed), HasSubstr("none of the 54 chosen runs can be compared"));
    EXPECT_THAT(refusal(alone.runs()), HasSubstr("nothing to compare it with"));
    EXPECT_THAT(refusal(one_size.runs()), HasSubstr("one size (2x64)"));
    EXPECT_THAT(refusal(sweep.runs(), other),
                AllOf(HasSubstr("baseline's attention 'moba'"), HasSubstr("dense, dense-aa, gdn, window")));
}

TEST(CompareAttention, GivesNoIntervalWhereNothingIsLeftToEstimateNoise) {
    SyntheticComparison sweep;
    sweep.widths = {64, 128};
    sweep.seeds = 1;

    const Comparison c = compare_attention(sweep.runs(), compare_options());

    EXPECT_THAT(codes(c.warnings), AllOf(Contains("few_sizes"), Contains("no_degrees_of_freedom")));
    EXPECT_TRUE(std::isfinite(c.headline().multipliers[1][0].estimate.value));
    EXPECT_TRUE(std::isnan(c.headline().multipliers[1][0].estimate.low));
    EXPECT_FALSE(nlohmann::json::parse(to_json(c)).empty());
}

TEST(BreakEven, IsTheContextOfTheFlopFormulas) {
    EXPECT_EQ(break_even_context("ssd", 64, 64), 192);
    EXPECT_EQ(break_even_context("retention", 128, 64), 320);
    EXPECT_NEAR(*break_even_context("gdn", 64, 64), 362, 1);
    EXPECT_NEAR(*break_even_context("deltanet", 128, 64), 548, 1);
    EXPECT_EQ(break_even_context("dense", 64, 64), std::nullopt);
    EXPECT_EQ(break_even_context("gdn", 0, 64), std::nullopt);
}

TEST(Findings, SayWhatLinearAttentionDoesNotBuy) {
    SyntheticComparison sweep;
    auto runs = sweep.runs();
    for (auto& run : runs) { run.record.context = 128; }  // heads of 32, chunks of 64 break even at 276.3

    EXPECT_THAT(findings(compare_attention(runs, compare_options(20))),
                Contains(AllOf(HasSubstr("context of 128"), HasSubstr("buys no FLOPs"), HasSubstr("gdn from 277"))));
    for (auto& run : runs) { run.record.context = 1024; }
    EXPECT_THAT(findings(compare_attention(runs, compare_options(20))), Not(Contains(HasSubstr("buys no FLOPs"))));
}

TEST(ParseBench, ReadsCrossovers) {
    CompareOptions chosen = compare_options(20);
    chosen.bench = parse_bench(R"({"kinds":[{"kind":"dense","points":[{"time":256,"seconds":0.1}],"growth_exponent":2},
        {"kind":"gdn","points":[{"time":256,"seconds":0.2,"flops":1e9}],"growth_exponent":1.02,
         "crossover_with_dense":1024}]})",
                               "bench.json");

    const Comparison c = compare_attention(SyntheticComparison{}.runs(), chosen);

    EXPECT_THAT(findings(c), Contains(HasSubstr("gdn from 1024 tokens on")));
    EXPECT_EQ(nlohmann::json::parse(to_json(c)).at("bench").at(1).at("crossover_with_dense"), 1024);
    for (const auto& [text, what] : {std::pair{"{", "is no JSON"}, std::pair{"{}", "has no list 'kinds'"},
                                     std::pair{R"({"kinds":[{"kind":"gdn","points":[{}]}]})", "lacks the number"}}) {
        try {
            parse_bench(text, "bench.json");
            FAIL() << text;
        } catch (const InputError& error) {
            EXPECT_THAT(error.what(), AllOf(HasSubstr("bench.json: "), HasSubstr(what)));
        }
    }
}

TEST(Comparison, PrintsTablesAndNumbers) {
    const Comparison c = compare_attention(SyntheticComparison{}.runs(), compare_options());

    const std::string text = to_text(c);
    const auto json = nlohmann::json::parse(to_json(c));

    EXPECT_THAT(text, AllOf(HasSubstr("dense (baseline)"), HasSubstr("dense-aa (control)"), HasSubstr("8x256"),
                            HasSubstr("Learning rates and losses"), HasSubstr("few_seeds: ")));
    EXPECT_EQ(json.at("baseline"), "dense");
    EXPECT_EQ(json.at("variants").size(), 4u);
    EXPECT_EQ(json.at("axes").at(0).at("axis"), "flops");
    EXPECT_TRUE(json.at("axes").at(0).at("variants").at(1).at("multipliers").at(0).at("low").is_number());
    EXPECT_TRUE(json.at("bench").is_null());
    EXPECT_EQ(json.at("variants").at(1).at("sizes").at(0).at("loss_by_position").size(), 8u);
}

TEST(Comparison, IsTheSameOnAnyNumberOfThreads) {
    CompareOptions chosen = compare_options(64);
    chosen.bootstrap.threads = 1;
    const auto one = to_json(compare_attention(SyntheticComparison{}.runs(), chosen));
    chosen.bootstrap.threads = 3;

    EXPECT_EQ(one, to_json(compare_attention(SyntheticComparison{}.runs(), chosen)));
}

}  // namespace
}  // namespace loglog
