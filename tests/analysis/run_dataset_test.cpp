#include "analysis/inference/run_dataset.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace loglog {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

RunRecord finished_run(const std::string& id) {
    RunRecord run;
    run.id = id;
    run.state = RunState::ok;
    run.non_embedding_params = 1'000'000;
    run.tokens = 20'000'000;
    run.final_val_loss = 3.5;
    return run;
}

TEST(RunDataset, TakesRunsOfWhichNoneRecordedCompute) {
    const std::vector runs{finished_run("a"), finished_run("b")};

    const RunDataset set = dataset_of_runs(runs, ParameterCount::non_embedding, "test");

    EXPECT_THAT(set.data.row_names, ElementsAre("a", "b"));
    EXPECT_TRUE(set.excluded.empty());
    EXPECT_THAT(set.data.columns, Not(Contains("C")));
    EXPECT_THAT(set.data.columns, Not(Contains("flops")));
    EXPECT_THAT(set.data.columns, Contains("N"));
    EXPECT_EQ(set.data.rows[0].size(), set.data.columns.size());
}

TEST(RunDataset, LeavesOutRunsThatLackWhatOthersHave) {
    std::vector runs{finished_run("a"), finished_run("b"), finished_run("c")};
    runs[0].flops = 1.2e14;
    runs[1].flops = 1.2e14;
    runs[1].tokens.reset();
    runs[1].non_embedding_params.reset();

    const RunDataset set = dataset_of_runs(runs, ParameterCount::non_embedding, "test");

    EXPECT_THAT(set.data.row_names, ElementsAre("a"));
    ASSERT_EQ(set.excluded.size(), 2u);
    EXPECT_EQ(set.excluded[0].reason, "N and D not recorded");
    EXPECT_EQ(set.excluded[1].reason, "C not recorded");
}

}  // namespace
}  // namespace loglog
