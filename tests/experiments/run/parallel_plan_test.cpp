#include "experiments/run/parallel_plan.hpp"

#include <gmock/gmock.h>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// 32 sequences of 128 tokens in a step.
RunSpec spec_with(const LayoutSpec& layout) {
    RunSpec spec;
    spec.data.synthetic.documents = 1;
    spec.model.layers = 8;
    spec.model.width = 64;
    spec.model.heads = 4;
    spec.model.kv_heads = 2;
    spec.model.context = 128;
    spec.train.batch_tokens = std::int64_t{128} * 32;
    spec.layout = layout;
    return resolve(spec, 500);
}

LayoutSpec layout(std::int64_t dp, std::int64_t tp, std::int64_t pp, Reduction reduction = Reduction::fast) {
    LayoutSpec spec;
    spec.dp = dp;
    spec.tp = tp;
    spec.pp = pp;
    spec.reduction = reduction;
    return spec;
}

std::string refusal(const RunSpec& spec) {
    try {
        static_cast<void>(parallel_plan(spec));
    } catch (const InputError& error) { return error.what(); }
    return "";
}

TEST(ParallelPlan, OfOneRankIsTheWholeModelInMicroBatchesThatFitTheCache) {
    const auto plan = parallel_plan(spec_with({}));

    EXPECT_EQ(plan.micro_batch, 4);  // 512 rows
    EXPECT_EQ(plan.micro_batches, 8);
    EXPECT_EQ(plan.leaves, 1);
    EXPECT_THAT(plan.pieces, ElementsAre(LayerRange{0, 8}));
}

TEST(ParallelPlan, MakesMicroBatchesSmallerUntilAPipelineHasFourForEachStage) {
    const auto plan = parallel_plan(spec_with(layout(1, 1, 4)));

    EXPECT_EQ(plan.micro_batches, 16);
    EXPECT_EQ(plan.micro_batch, 2);
}

TEST(ParallelPlan, GivesTheStageWithTheHeadFewerLayersWhereTheHeadIsDear) {
    auto spec = spec_with(layout(1, 1, 2));
    spec.model.vocab = 8192;  // about ten layers' work

    const auto plan = parallel_plan(spec);

    ASSERT_EQ(plan.pieces.size(), 2u);
    EXPECT_EQ(plan.pieces[1].count(), 1);
}

TEST(ParallelPlan, CutsATreesModelIntoTheSameLeavesOnAnyNumberOfRanks) {
    for (const std::int64_t tp : {1, 2, 4}) {
        const auto plan = parallel_plan(spec_with(layout(1, tp, 1, Reduction::tree)));

        EXPECT_EQ(plan.leaves, 4) << tp;  // four heads
        EXPECT_EQ(plan.micro_batch, 4) << tp;
        EXPECT_EQ(part_of(plan, {.dp = 0, .tp = 0, .pp = 0}, nullptr).tensor.leaf_count, 4 / tp);
    }
}

TEST(ParallelPlan, RefusesWhatCannotBeAndSaysWhatToChange) {
    EXPECT_THAT(refusal(spec_with(layout(1, 3, 1))), HasSubstr("heads is 4"));
    EXPECT_THAT(refusal(spec_with(layout(1, 8, 1, Reduction::tree))), HasSubstr("into 4 leaves"));
    EXPECT_THAT(refusal(spec_with(layout(1, 1, 16))), HasSubstr("need at least 16 layers but the model has 8"));
    EXPECT_THAT(refusal(spec_with(layout(5, 1, 1))), HasSubstr("must divide the 32 sequences"));

    auto few = spec_with(layout(1, 1, 4));
    few.train.micro_batch = 16;
    EXPECT_THAT(refusal(few), HasSubstr("4 stages need at least as many"));

    auto contradiction = spec_with(layout(2, 1, 1));
    contradiction.layout.micro_batches = 4;
    contradiction.train.micro_batch = 2;
    EXPECT_THAT(refusal(contradiction), HasSubstr("contradict train.micro_batch"));

    auto no_power = spec_with(layout(2, 1, 1, Reduction::tree));
    no_power.train.batch_tokens = std::int64_t{128} * 24;
    no_power.train.micro_batch = 4;
    EXPECT_THAT(refusal(no_power), HasSubstr("power of two"));

    auto rows = spec_with(layout(1, 2, 1, Reduction::tree));
    rows.layout.sequence_parallel = true;
    EXPECT_THAT(refusal(rows), HasSubstr("cannot keep the promise"));
}

}  // namespace
}  // namespace loglog
