#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/error.hpp"
#include "sweeps/plan/plan.hpp"

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// "narrow" is dense attention in a model with a smaller MLP: another model, which any build can train.
const std::string file = R"(
[sweep]
name = "fair"
kind = "attention"
attentions = ["dense", { kind = "dense", label = "narrow", model.mlp_width = 48 }]
widths = [32, 64, 96]
[data]
synthetic = { documents = 10 }
[model]
layers = 2
head_dim = 16
context = 64
[train]
batch_tokens = 1024
optimizer = { lr = 4e-3 }
seeds = [1, 2]
)";

// A run's id says what it is: "narrow 32 0.004000 1".
std::string identify(const RunSpec& spec) {
    return attention_name(spec.model.attention) + " " + std::to_string(spec.model.width) + " " +
           std::to_string(spec.train.optimizer.lr) + " " + std::to_string(spec.train.seed);
}

Plan plan_of(const std::vector<std::string>& overrides, const FindLoss& loss_of = {}) {
    return make_plan(
        parse_sweep_spec(file, "sweep.toml", overrides), [](const RunSpec&) { return 257; }, identify, loss_of);
}
const std::vector<std::string> with_ratio{"sweep.tokens_per_parameter=20"};

std::string message_of(const std::vector<std::string>& overrides) {
    try {
        plan_of(overrides);
    } catch (const InputError& error) { return error.what(); }
    return "no error";
}

// Made-up losses: the best learning rate is 4e-3 for dense, and 16e-3, the highest tried at first, for the other.
std::optional<double> made_up_loss(const std::string& id) {
    const double lr = std::stod(id.substr(id.find("0.")));
    const double distance = std::log2(lr / (id.starts_with("narrow") ? 16e-3 : 4e-3));
    return 3 + distance * distance;
}

std::vector<const PlannedRun*> stage(const Plan& plan, const std::string& name) {
    std::vector<const PlannedRun*> runs;
    for (const PlannedRun& run : plan.runs) {
        if (run.stage == name) { runs.push_back(&run); }
    }
    return runs;
}

double total_flops(const Plan& plan) {
    double flops = 0;
    for (const PlannedRun& run : plan.runs) { flops += run.cost.flops(run.spec); }
    return flops;
}

TEST(AttentionPlan, PlansSearchesExactlyAndTheRestWithoutLearningRate) {
    const Plan plan = plan_of(with_ratio);

    const auto searched = stage(plan, "lr-search");
    ASSERT_EQ(searched.size(), 2u * 5u);
    EXPECT_EQ(searched[0]->id, "dense 32 0.001000 1");
    EXPECT_EQ(searched[4]->id, "dense 32 0.016000 1");
    EXPECT_EQ(searched[5]->spec.name, "lr-search narrow");
    EXPECT_EQ(stage(plan, "main").size(), 2u * (3 * 2 - 1)) << "one more is the search's best";
    EXPECT_EQ(stage(plan, "lr-recheck").size(), 2u * 2u);
    EXPECT_EQ(stage(plan, "control").size(), 3u * 2u);
    EXPECT_EQ(plan.runs.size(), 30u);
    EXPECT_EQ(waiting_runs(plan), 20);
    for (const PlannedRun& run : plan.runs) {
        EXPECT_EQ(run.lr_known, run.stage == "lr-search");
        EXPECT_EQ(run.id.empty(), run.stage != "lr-search");
        EXPECT_FALSE(run.also_main);
    }
    EXPECT_THAT(reasons_against(plan), IsEmpty());
}

TEST(AttentionPlan, SpendsTheBudgetButNoMore) {
    for (const char* budget : {"3e11", "1e12", "7.7e12"}) {
        const Plan plan = plan_of({std::string{"sweep.budget="} + budget});
        double one_batch_more = total_flops(plan);
        for (const PlannedRun& run : plan.runs) { one_batch_more += run.cost.flops_per_token * 1024; }

        EXPECT_LE(total_flops(plan), std::stod(budget));
        EXPECT_GT(one_batch_more, std::stod(budget)) << "what is left is less than one more batch for each run";
    }
}

TEST(AttentionPlan, TokensAreAMultipleOfTheDenseModelsParametersForAllAttentions) {
    for (const auto& overrides : {with_ratio, std::vector<std::string>{"sweep.budget=7e11"}}) {
        const Plan plan = plan_of(overrides, made_up_loss);
        std::map<std::int64_t, std::int64_t> dense_parameters;
        for (const PlannedRun& run : plan.runs) {
            if (attention_name(run.spec.model.attention) == "dense") {
                dense_parameters[run.spec.model.width] = run.cost.parameters.non_embedding();
            }
        }
        for (const PlannedRun& run : plan.runs) {
            const double wanted = run.target * static_cast<double>(dense_parameters[run.spec.model.width]);
            EXPECT_NEAR(static_cast<double>(run.spec.train.tokens), wanted, 1024) << identify(run.spec);
        }
    }
}

TEST(AttentionPlan, TransfersTheBestRateToAllSizesAndSeeds) {
    const Plan plan = plan_of(with_ratio, made_up_loss);

    EXPECT_EQ(waiting_runs(plan), 0);
    EXPECT_THAT(plan.notes, ElementsAre(HasSubstr("'dense': learning rate 0.004, the best of 5"),
                                        HasSubstr("'narrow': learning rate 0.016, the best of 6")));
    for (const PlannedRun* run : stage(plan, "main")) {
        const bool narrow = run->spec.name == "main narrow";
        EXPECT_DOUBLE_EQ(run->spec.train.optimizer.lr, narrow ? 16e-3 : 4e-3);
    }
    for (const PlannedRun* run : stage(plan, "lr-recheck")) {
        EXPECT_EQ(run->spec.model.width, 64);
        EXPECT_EQ(run->spec.train.seed, 1u);
    }
    EXPECT_DOUBLE_EQ(stage(plan, "lr-recheck")[0]->spec.train.optimizer.lr, 2e-3);
    EXPECT_DOUBLE_EQ(stage(plan, "lr-recheck")[1]->spec.train.optimizer.lr, 8e-3);
}

TEST(AttentionPlan, TrainsNoRunTwice) {
    const Plan plan = plan_of(with_ratio, made_up_loss);

    std::set<std::string> ids;
    std::vector<std::string> both;
    for (const PlannedRun& run : plan.runs) {
        EXPECT_TRUE(ids.insert(run.id).second) << run.id;
        if (run.also_main) { both.push_back(run.id); }
    }
    EXPECT_EQ(plan.runs.size(), 31u) << "narrow's bracket was extended by one";
    EXPECT_THAT(both, ElementsAre("dense 32 0.004000 1", "narrow 32 0.016000 1"));
}

TEST(AttentionPlan, ControlsDenseByItselfWithOtherSeedsAndAnotherName) {
    const Plan plan = plan_of(with_ratio, made_up_loss);

    EXPECT_EQ(stage(plan, "control").size(), 6u);
    for (const PlannedRun* run : stage(plan, "control")) {
        EXPECT_EQ(run->spec.name, "control dense-aa");
        EXPECT_EQ(attention_name(run->spec.model.attention), "dense-aa");
        EXPECT_EQ(run->spec.model.attention.kind, AttentionKind::dense);
        EXPECT_DOUBLE_EQ(run->spec.train.optimizer.lr, 4e-3);
        EXPECT_TRUE(run->spec.train.seed == 1001 || run->spec.train.seed == 1002);
    }
}

TEST(AttentionPlan, GoesOnWithEachAttentionByItself) {
    const Plan plan = plan_of(
        with_ratio, [](const std::string& id) { return id.starts_with("dense") ? made_up_loss(id) : std::nullopt; });

    for (const PlannedRun* run : stage(plan, "main")) { EXPECT_EQ(run->lr_known, run->spec.name == "main dense"); }
    for (const PlannedRun* run : stage(plan, "control")) { EXPECT_TRUE(run->lr_known); }
}

TEST(AttentionPlan, LeavesOutWhatDivergedAtEveryRate) {
    const Plan plan = plan_of(with_ratio, [](const std::string& id) -> std::optional<double> {
        return id.starts_with("dense") ? made_up_loss(id) : std::numeric_limits<double>::infinity();
    });

    for (const PlannedRun* run : stage(plan, "main")) { EXPECT_EQ(run->spec.name, "main dense"); }
    EXPECT_EQ(stage(plan, "lr-search").size(), 5u + 8u);
    EXPECT_EQ(waiting_runs(plan), 0);
    EXPECT_THAT(plan.notes, ::testing::Contains(HasSubstr("'narrow': all 8 learning rates diverged")));
    EXPECT_THAT(reasons_against(plan), IsEmpty());
}

TEST(AttentionPlan, ParameterizesByMupAtTheFirstWidthUnlessToldOtherwise) {
    const TrainSpec train = plan_of(with_ratio).runs.back().spec.train;
    EXPECT_EQ(train.parameterization, ParameterizationKind::mup);
    EXPECT_EQ(train.mup.base_width, 32);
    EXPECT_EQ(train.mup.base_layers, 2);

    const Plan plan = plan_of({with_ratio[0], "train.parameterization=sp", "train.mup.base_width=16"});
    EXPECT_EQ(plan.runs[0].spec.train.parameterization, ParameterizationKind::sp);
    EXPECT_EQ(plan.runs[0].spec.train.mup.base_width, 16);
    EXPECT_THAT(plan.notes, ElementsAre(HasSubstr("is not \"mup\"")));
}

TEST(AttentionPlan, SaysWhatABudgetThatIsTooSmallWouldNeed) {
    const std::string message = message_of({"sweep.budget=1e9"});
    EXPECT_THAT(message, HasSubstr("sweep.budget: 1e+09 FLOPs are"));
    const auto start = message.find("give ") + 5;
    const std::string enough = message.substr(start, message.find(' ', start) - start);

    EXPECT_LE(total_flops(plan_of({"sweep.budget=" + enough})), std::stod(enough));
    const std::string nearly = std::to_string(0.98 * std::stod(enough));
    EXPECT_THAT(message_of({"sweep.budget=" + nearly}), HasSubstr("one is the least"));
}

TEST(AttentionPlan, RefusesWhatCannotBeCompared) {
    const auto with = [&](const std::string& attentions) {
        return message_of({with_ratio[0], "sweep.attentions=" + attentions});
    };
    EXPECT_THAT(with("[{ kind = \"dense\", every = 2, minority = \"window\" }]"), HasSubstr("has no \"dense\""));
    EXPECT_THAT(with("[\"dense\", \"dense\"]"), HasSubstr("two are called 'dense'"));
    EXPECT_THAT(with("[\"dense\", { label = \"dense-aa\" }]"), HasSubstr("two are called 'dense-aa'"));
    EXPECT_THAT(with("[\"dense\", { label = \"x\", train.batch_tokens = 64 }]"),
                HasSubstr("train.batch_tokens must be the same for all attentions"));
    EXPECT_THAT(with("[\"dense\", \"gdn-3:1\"]"),
                HasSubstr("model.attention.every: is 4 but the model has 2 layers, so that none would be dense"));
    EXPECT_THAT(message_of({"sweep.tokens_per_parameter=1e-3"}), HasSubstr("one is the least"));
}

TEST(AttentionPlan, JsonAndTableSayWhatARunIsFor) {
    const auto json = nlohmann::json::parse(to_json(plan_of(with_ratio)));

    EXPECT_EQ(json["kind"], "attention");
    EXPECT_EQ(json["runs"][0]["stage"], "lr-search");
    EXPECT_EQ(json["runs"][0]["name"], "lr-search dense");
    EXPECT_TRUE(json["runs"].back()["lr"].is_null());
    EXPECT_EQ(json["searches"].size(), 2u);
    EXPECT_EQ(json["searches"][1]["attention"], "narrow");
    EXPECT_EQ(json["searches"][1]["rates"].size(), 5u);
    EXPECT_TRUE(json["searches"][1]["lr"].is_null());

    const auto found = nlohmann::json::parse(to_json(plan_of(with_ratio, made_up_loss)));
    EXPECT_EQ(found["searches"][0]["lr"], 4e-3);
    EXPECT_EQ(found["searches"][1]["extensions"], 1);
    EXPECT_EQ(found["searches"][1]["bracketed"], true);
    const std::string table = to_table(plan_of(with_ratio, made_up_loss));
    EXPECT_THAT(table, HasSubstr("lr-search dense (and main)"));
    EXPECT_THAT(table, HasSubstr("control       6 runs"));
}

}  // namespace
}  // namespace loglog
