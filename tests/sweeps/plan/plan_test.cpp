#include "sweeps/plan/plan.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Runs made up of numbers alone: nothing is counted.
Plan plan_of(const std::vector<std::pair<std::int64_t, std::int64_t>>& sizes_and_tokens,
             SweepKind kind = SweepKind::grid) {
    Plan plan;
    plan.sweep = "test";
    plan.kind = kind;
    for (const auto& [size, tokens] : sizes_and_tokens) {
        PlannedRun run;
        run.spec.train.tokens = tokens;
        run.spec.train.batch_tokens = 100;
        run.spec.train.eval_every = 1'000'000;
        run.spec.train.eval_tokens = 300;
        run.cost.parameters = {.total = size + 50, .embedding = 50, .head = 0};
        run.cost.flops_per_token = 6.0 * static_cast<double>(size);
        plan.runs.push_back(run);
    }
    return plan;
}

TEST(Plan, CountsAModelByHand) {
    SweepSpec sweep;
    sweep.name = "hand";
    sweep.base = {{"data.path", {std::string{"x"}}, {}},
                  {"model.width", {std::int64_t{64}}, {}},
                  {"model.context", {std::int64_t{32}}, {}},
                  {"train.batch_tokens", {std::int64_t{1024}}, {}},
                  {"train.tokens", {std::int64_t{10'240}}, {}}};

    const Plan plan = make_plan(
        sweep, [](const RunSpec&) { return 100; }, [](const RunSpec&) { return std::string{"id"}; });

    ASSERT_EQ(plan.runs.size(), 1u);
    const PlannedRun& run = plan.runs[0];
    constexpr double d = 64, layers = 2, context = 32, vocab = 100;
    EXPECT_EQ(run.spec.model.layers, 2);  // aspect 32
    EXPECT_EQ(run.cost.parameters.non_embedding(), layers * (12 * d * d + 13 * d) + 2 * d);
    EXPECT_EQ(run.cost.parameters.total, run.cost.parameters.non_embedding() + (vocab + context) * d);
    const double matrices = layers * 12 * d * d + vocab * d;
    const double mixing = layers * 2 * d * (context + 1) / 2;
    EXPECT_DOUBLE_EQ(run.cost.flops_per_token, 6 * (matrices + mixing));
    EXPECT_GT(run.cost.memory_bytes, 4 * 4 * run.cost.parameters.total) << "values, gradients, two moments";
}

TEST(Plan, PredictsTrainingAndEvaluation) {
    Plan plan = plan_of({{10, 1000}});

    predict(
        plan, [](const RunSpec&, const RunCost&) { return 60.0; }, 1);

    // 60 FLOPs a token: 1000 s to train; one evaluation of 300 tokens at a third of that: 100 s.
    EXPECT_DOUBLE_EQ(plan.runs[0].predicted_seconds, 1100);
}

TEST(Plan, PacksLongestFirst) {
    Plan plan = plan_of({{1, 100}, {2, 100}, {3, 100}, {4, 100}, {5, 100}});
    for (std::size_t i = 0; i < plan.runs.size(); ++i) { plan.runs[i].predicted_seconds = static_cast<double>(i + 1); }

    EXPECT_THAT(starting_order(plan), ElementsAre(4, 3, 2, 1, 0));
    EXPECT_DOUBLE_EQ(packed_seconds(plan, 1), 15);
    EXPECT_DOUBLE_EQ(packed_seconds(plan, 2), 8);  // 5+2+1 beside 4+3
    EXPECT_DOUBLE_EQ(packed_seconds(plan, 9), 5);
}

TEST(Plan, StartsRunsOfMoreRanksFirst) {
    Plan plan = plan_of({{1, 100}, {2, 100}, {3, 100}, {4, 100}});
    for (std::size_t i = 0; i < plan.runs.size(); ++i) { plan.runs[i].predicted_seconds = static_cast<double>(i + 1); }
    plan.runs[0].spec.layout.tp = 4;
    plan.runs[2].spec.layout.dp = 2;
    plan.runs[1].spec.layout.pp = 2;

    EXPECT_THAT(starting_order(plan), ElementsAre(0, 2, 1, 3));
    EXPECT_DOUBLE_EQ(packed_seconds(plan, 4), 1 + 2 + 4);  // 4 ranks; 2 beside 2; the last follows the shorter
}

SweepSpec small_sweep() {
    SweepSpec sweep;
    sweep.name = "small";
    sweep.base = {{"data.path", {std::string{"x"}}, {}},
                  {"model.width", {std::int64_t{64}}, {}},
                  {"model.layers", {std::int64_t{4}}, {}},
                  {"model.context", {std::int64_t{32}}, {}},
                  {"train.batch_tokens", {std::int64_t{1024}}, {}}};
    return sweep;
}

Plan plan_for(const SweepSpec& sweep) {
    return make_plan(
        sweep, [](const RunSpec&) { return 100; }, [](const RunSpec&) { return std::string{"id"}; });
}

TEST(Plan, GivesRunsTheSmallestLayoutThatFits) {
    SweepSpec sweep = small_sweep();
    const Machine host = typical_host(4, 1e9);
    Plan plan = plan_for(sweep);
    const auto alone = static_cast<double>(plan.runs[0].cost.memory_bytes);

    choose_layouts(plan, sweep, host, 8);
    EXPECT_EQ(plan.runs[0].spec.layout.ranks(), 1) << "no bound, no layout";
    sweep.rank_memory = 0.75 * alone;
    choose_layouts(plan, sweep, host, 8);
    EXPECT_EQ(plan.runs[0].spec.layout.ranks(), 2);

    sweep.base.push_back({"layout.dp", {std::int64_t{1}}, {}});
    Plan stated = plan_for(sweep);
    choose_layouts(stated, sweep, host, 8);
    EXPECT_EQ(stated.runs[0].spec.layout.ranks(), 1) << "a layout that is stated stays";
}

TEST(Plan, PredictsForACluster) {
    Plan plan = plan_for(small_sweep());
    Machine cluster = typical_host(4, 1e9);
    cluster.name = "four";
    plan.runs[0].spec.layout.tp = 2;

    predict(plan, cluster);

    const auto json = nlohmann::json::parse(to_json(plan));
    const auto& run = json["runs"][0];
    EXPECT_EQ(json["cluster"], "four");
    EXPECT_EQ(json["ranks"], 4);
    EXPECT_EQ(run["layout"], "1x2x1");
    EXPECT_GT(run["bytes_per_rank"], 0);
    EXPECT_EQ(run["bubble"], 0);
    EXPECT_GT(run["predicted_seconds"], run["step_seconds"]);
    EXPECT_THAT(to_table(plan), HasSubstr("1x2x1"));
    EXPECT_THAT(to_table(plan), HasSubstr("4 ranks of four"));
}

TEST(Plan, OrdersByFlopsWhereNothingIsPredicted) {
    EXPECT_THAT(starting_order(plan_of({{1, 500}, {9, 100}, {2, 100}})), ElementsAre(1, 0, 2));
}

TEST(Identifiability, AcceptsThreeSizesOverAFactorOfFour) {
    EXPECT_THAT(reasons_against(plan_of({{100, 1000}, {200, 1000}, {400, 1000}})), IsEmpty());
    EXPECT_THAT(reasons_against(plan_of({{100, 1000}, {200, 2000}, {400, 4000}})), IsEmpty());
}

TEST(Identifiability, NamesEveryReason) {
    EXPECT_THAT(reasons_against(plan_of({{100, 1000}, {500, 1000}})),
                ElementsAre(HasSubstr("2 model sizes, but an exponent in N needs at least 3")));
    EXPECT_THAT(reasons_against(plan_of({{100, 1000}, {200, 1000}, {399, 1000}})),
                ElementsAre(HasSubstr("range over a factor of 3.99 (100 to 399)")));
    EXPECT_THAT(
        reasons_against(plan_of({{100, 1000}, {100, 2000}})),
        ElementsAre(HasSubstr("1 model size,"), HasSubstr("tokens range over a factor of 2.00 (1000 to 2000)")));
    EXPECT_THAT(reasons_against(plan_of({})), ElementsAre(HasSubstr("no runs")));
}

TEST(Identifiability, WantsThreeSizesOfEveryBudget) {
    Plan plan =
        plan_of({{100, 40'000}, {200, 20'000}, {400, 10'000}, {100, 400'000}, {400, 100'000}}, SweepKind::isoflop);
    for (std::size_t i = 0; i < plan.runs.size(); ++i) { plan.runs[i].target = i < 3 ? 2.4e7 : 2.4e8; }

    EXPECT_THAT(reasons_against(plan),
                ElementsAre(HasSubstr("a budget of 2.4e+08 FLOPs is spent on 2 model sizes only")));
}

TEST(Identifiability, JudgesEachKindOfAttentionByItself) {
    Plan plan = plan_of({{100, 1000}, {200, 1000}, {400, 1000}, {100, 1000}});
    plan.runs[3].spec.model.attention.kind = AttentionKind::gdn;

    EXPECT_THAT(reasons_against(plan), ElementsAre(HasSubstr("attention 'gdn': 1 model size")));
}

TEST(Plan, RemarksThatDStaysTheSame) {
    EXPECT_THAT(remarks_on(plan_of({{100, 1000}, {200, 1000}})),
                ElementsAre(HasSubstr("no exponent in D can be fitted")));
}

TEST(Plan, JsonHoldsWhatWasPromised) {
    Plan plan = plan_of({{100, 1000}, {200, 2000}});
    plan.runs[0].id = "abc";
    plan.runs[0].predicted_seconds = 3;
    plan.runs[1].predicted_seconds = 4;
    plan.ranks = 2;

    const auto json = nlohmann::json::parse(to_json(plan));

    EXPECT_EQ(json["sweep"], "test");
    EXPECT_EQ(json["kind"], "grid");
    const auto& run = json["runs"][0];
    EXPECT_EQ(run["id"], "abc");
    EXPECT_EQ(run["parameters"]["total"], 150);
    EXPECT_EQ(run["parameters"]["non_embedding"], 100);
    EXPECT_EQ(run["tokens"], 1000);
    EXPECT_EQ(run["flops_per_token"], 600);
    EXPECT_EQ(run["flops"], 600'000);
    EXPECT_EQ(run["flops_6nd"], 600'000);
    EXPECT_EQ(run["predicted_seconds"], 3);
    EXPECT_TRUE(json["runs"][1]["id"].is_null());
    EXPECT_EQ(json["totals"]["runs"], 2);
    EXPECT_EQ(json["totals"]["tokens"], 3000);
    EXPECT_EQ(json["totals"]["flops"], 600'000 + 2'400'000);
    EXPECT_EQ(json["totals"]["predicted_seconds"], 7);
    EXPECT_EQ(json["totals"]["predicted_wall_seconds"], 4);
}

TEST(Plan, TableHasARowForEachRunAndTotals) {
    const std::string table = to_table(plan_of({{100, 1000}, {200, 2'000'000}}));

    EXPECT_THAT(table, HasSubstr("N non-emb"));
    EXPECT_THAT(table, HasSubstr("2M"));
    EXPECT_THAT(table, HasSubstr("2 runs, 2M tokens"));
}

}  // namespace
}  // namespace loglog
