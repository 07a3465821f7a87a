#include <gtest/gtest.h>

#include "distributed/topology/topology.hpp"
#include "tests/support/shard_case.hpp"

namespace loglog::testing {
namespace {

struct ParallelCase {
    const char* name;
    DecoderConfig config;
    bool sequence_parallel;
};

std::vector<ParallelCase> cases() {
    auto gpt_without_bias = shard_gpt_config();
    gpt_without_bias.bias = gpt_without_bias.tied_head = false;
    return {{"Gpt", shard_gpt_config(), false},
            {"GptSequenceParallel", shard_gpt_config(), true},
            {"GptWithoutBiasUntied", gpt_without_bias, true},
            {"Modern", shard_modern_config(), false},
            {"ModernSequenceParallel", shard_modern_config(), true}};
}

/// All ranks share one model.
class DecoderParallel : public ::testing::TestWithParam<ParallelCase> {
  protected:
    static Topology spread_over_all(Reduction reduction) {
        const auto world = Communicator::world();
        return Topology{world, Layout{.dp = 1, .tp = world.size(), .pp = 1}, reduction};
    }
    static TensorShard shard(const Topology& topology, std::int64_t leaves) {
        auto& group = topology.tensor();
        const auto count = leaves / group.size();
        return {.leaves = leaves,
                .first_leaf = group.rank() * count,
                .leaf_count = count,
                .group = group.size() > 1 ? &group : nullptr,
                .sequence_parallel = GetParam().sequence_parallel};
    }
};

TEST_P(DecoderParallel, FastSumsGiveTheUncutModelsLossAndGradients) {
    const auto topology = spread_over_all(Reduction::fast);
    auto whole = run_shard<double>(GetParam().config, {});

    auto mine = run_shard<double>(GetParam().config, shard(topology, topology.tensor().size()));
    const double difference =
        gradient_difference<double>(mine.model.parameters(), &topology.tensor(), whole.model.parameters());

    EXPECT_NEAR(mine.loss, whole.loss, 1e-12 * whole.loss);
    EXPECT_LE(difference, 1e-12);
}

TEST_P(DecoderParallel, TreesGiveTheBitsOfOneRank) {
    constexpr std::int64_t leaves = 4;
    const auto topology = spread_over_all(Reduction::tree);
    auto one_rank = run_shard<float>(GetParam().config, {.leaves = leaves, .leaf_count = leaves});

    auto mine = run_shard<float>(GetParam().config, shard(topology, leaves));

    EXPECT_EQ(mine.loss, one_rank.loss);
    EXPECT_EQ(different_bits<float>(mine.model.parameters(), one_rank.model.parameters()), "");
}

INSTANTIATE_TEST_SUITE_P(Models, DecoderParallel, ::testing::ValuesIn(cases()),
                         [](const auto& parameter) { return std::string{parameter.param.name}; });

}  // namespace
}  // namespace loglog::testing
