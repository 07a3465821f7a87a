#include <gtest/gtest.h>

#include "tests/support/attention_case.hpp"
#include "tests/support/shard_case.hpp"
#include "tests/support/thread_group.hpp"

namespace loglog::testing {
namespace {

struct RanksCase {
    std::string name;
    DecoderConfig config;
    int ranks;
    std::int64_t leaves;
    bool sequence_parallel;
};

std::vector<RanksCase> cases() {
    std::vector<RanksCase> result;
    for (const bool sequence_parallel : {false, true}) {
        for (const int ranks : {2, 4}) {
            for (const std::int64_t leaves : {2, 4}) {
                if (leaves < ranks) { continue; }
                result.push_back({"Gpt", shard_gpt_config(), ranks, leaves, sequence_parallel});
                result.push_back({"Modern", shard_modern_config(), ranks, leaves, sequence_parallel});
                for (auto& [name, config] : attention_configs()) {
                    result.push_back({name, config, ranks, leaves, sequence_parallel});
                }
            }
        }
    }
    return result;
}

TensorShard shard_of(const RanksCase& c, Group& group) {
    return {.leaves = c.leaves,
            .first_leaf = group.rank() * c.leaves / c.ranks,
            .leaf_count = c.leaves / c.ranks,
            .group = &group,
            .sequence_parallel = c.sequence_parallel};
}

class DecoderRanks : public ::testing::TestWithParam<RanksCase> {};

TEST_P(DecoderRanks, GiveTheUncutModelsLossAndGradients) {
    const auto& c = GetParam();
    auto whole = run_shard<double>(c.config, {});

    on_ranks(c.ranks, [&](Group& group) {
        auto mine = run_shard<double>(c.config, shard_of(c, group));
        EXPECT_NEAR(mine.loss, whole.loss, 1e-12 * whole.loss) << group.rank();
        const double difference =
            gradient_difference<double>(mine.model.parameters(), &group, whole.model.parameters());
        EXPECT_LE(difference, 1e-12) << group.rank();
    });
}

TEST_P(DecoderRanks, GiveTheBitsOfOneRankWithAllLeaves) {
    const auto& c = GetParam();
    auto one_rank = run_shard<float>(c.config, {.leaves = c.leaves, .leaf_count = c.leaves});

    on_ranks(c.ranks, [&](Group& group) {
        auto mine = run_shard<float>(c.config, shard_of(c, group));
        EXPECT_EQ(mine.loss, one_rank.loss) << group.rank();
        EXPECT_EQ(different_bits<float>(mine.model.parameters(), one_rank.model.parameters()), "") << group.rank();
    });
}

INSTANTIATE_TEST_SUITE_P(Models, DecoderRanks, ::testing::ValuesIn(cases()), [](const auto& parameter) {
    const auto& c = parameter.param;
    return c.name + std::to_string(c.leaves) + "LeavesOn" + std::to_string(c.ranks) + "Ranks" +
           (c.sequence_parallel ? "SequenceParallel" : "");
});

}  // namespace
}  // namespace loglog::testing
