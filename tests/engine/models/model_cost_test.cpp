#include "engine/models/model_cost.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/models/decoder.hpp"
#include "tests/support/attention_case.hpp"

namespace loglog::testing {
namespace {

DecoderConfig gpt2(std::int64_t layers, std::int64_t width, std::int64_t heads) {
    DecoderConfig config;
    config.layers = layers;
    config.width = width;
    config.heads = heads;
    config.vocab = 50257;
    config.context = 1024;
    return resolved(config);
}

TEST(ParameterCounts, AreThePublishedOnesOfGpt2) {
    auto config = gpt2(12, 768, 12);

    const auto small = count_parameters(config);
    config.qkv_bias = false;
    const auto without_qkv_bias = count_parameters(config);
    config.tied_head = false;
    const auto untied = count_parameters(config);

    EXPECT_EQ(small.total, 124'439'808);
    EXPECT_EQ(small.embedding, (50257 + 1024) * 768);
    EXPECT_EQ(small.head, 0);
    EXPECT_EQ(without_qkv_bias.total, 124'412'160);
    EXPECT_EQ(untied.total, 163'009'536);
    EXPECT_EQ(untied.head, 50257 * 768);
    EXPECT_EQ(untied.non_embedding(), without_qkv_bias.non_embedding());
    EXPECT_EQ(count_parameters(gpt2(48, 1600, 25)).total, 1'557'611'200);
}

/// 6 FLOPs per weight of a matrix product and token, and causal attention's share (forward H (dk + dv) (T + 1)).
double flops_by_hand(const DecoderConfig& c, std::int64_t time) {
    const auto query_columns = c.heads * c.head_dim;
    const auto attention = c.width * (query_columns + 2 * c.kv_heads * c.head_dim) + query_columns * c.width;
    const auto mlp = (c.activation == MlpKind::swiglu ? 3 : 2) * c.width * c.mlp_width;
    const auto matrices = c.layers * (attention + mlp) + c.vocab * c.width;
    const auto mixing = c.layers * c.heads * 2 * c.head_dim * (time + 1);
    return 6.0 * static_cast<double>(matrices) + 3.0 * static_cast<double>(mixing);
}

class ModelCostByHand : public ::testing::TestWithParam<DecoderConfig> {};

TEST_P(ModelCostByHand, MatchesTheCounts) {
    const auto& config = GetParam();

    const auto cost = count_cost(config, 3);

    EXPECT_DOUBLE_EQ(cost.flops_per_token(), flops_by_hand(config, config.context));
    EXPECT_DOUBLE_EQ(cost.forward_flops_per_token(), flops_by_hand(config, config.context) / 3);
    EXPECT_GE(cost.training.hardware_flops, cost.training.model_flops);
    EXPECT_EQ(cost.optimizer.model_flops, 0);
    EXPECT_GT(cost.optimizer.hardware_flops, 0);
}

INSTANTIATE_TEST_SUITE_P(Models, ModelCostByHand,
                         ::testing::Values(tiny_config(), tiny_modern_config(), gpt2(12, 768, 12), gpt2(48, 1600, 25)));

TEST(ModelCost, OfLabelledTokensLeavesOutTheOthersLogits) {
    auto config = tiny_modern_config();
    const double all = count_cost(config, 3).training.model_flops;
    config.labels = 2;

    const auto cost = count_cost(config, 3);

    // Forward and backward, 6 FLOPs per entry of the table and row of it that is not needed.
    const auto unlabelled = static_cast<double>(3 * (config.context - 2));
    const double spared = 6 * unlabelled * static_cast<double>(config.vocab * config.width);
    EXPECT_DOUBLE_EQ(cost.training.model_flops, all - spared);
    EXPECT_DOUBLE_EQ(cost.forward.model_flops, (all - spared) / 3);
}

/// Two sequences with as many targets in all as the configuration says.
TokenCase labelled(const DecoderConfig& config) {
    TokenCase data{2, config.context, config.vocab};
    if (config.labels == 0) { return data; }
    const auto labels = static_cast<std::ptrdiff_t>(2 * config.labels);
    std::fill(data.targets.begin(), data.targets.end() - labels, -1);
    return data;
}

class CountedMemory : public ::testing::TestWithParam<DecoderConfig> {};

TEST_P(CountedMemory, IsWhatTrainingAndEvaluationReallyUse) {
    const auto& config = GetParam();
    const auto cost = count_cost(config, 2);
    const TokenCase data = labelled(config);
    Decoder model{config};
    model.initialize(Seed{1});
    Context context{CpuContext{1}};
    Arena arena{Backing::memory, cost.activation_bytes};
    Arena evaluation_arena{Backing::memory, cost.evaluation_bytes};
    Tape tape{context, arena, Mode::train};
    Tape evaluation{context, evaluation_arena, Mode::evaluate};

    accumulate_gradients(context, tape, model, data, 2);
    model.loss(evaluation, data.part(0, 2), {});

    EXPECT_EQ(arena.peak_bytes(), cost.activation_bytes);
    EXPECT_EQ(evaluation_arena.peak_bytes(), cost.evaluation_bytes);
    EXPECT_LT(cost.evaluation_bytes, cost.activation_bytes);
    EXPECT_EQ(model.parameters().value_bytes(), cost.parameter_bytes);
    EXPECT_EQ(model.parameters().gradient_bytes(), cost.gradient_bytes);
    EXPECT_EQ(model.parameters().moment_bytes(), cost.moment_bytes);
}

DecoderConfig deep_with_dropout() {
    auto config = tiny_modern_config();
    config.layers = 7;
    config.dropout = 0.1;
    return config;
}

/// Most of whose memory is the head's: rows that were gathered, their logits and gradients.
DecoderConfig wide_vocab_with_labels() {
    auto config = tiny_modern_config();
    config.vocab = 3'000;
    config.labels = 2.5;
    return config;
}

INSTANTIATE_TEST_SUITE_P(Models, CountedMemory,
                         ::testing::Values(tiny_config(), tiny_modern_config(), deep_with_dropout(),
                                           wide_vocab_with_labels()));

std::vector<DecoderConfig> configs_of_all_attention() {
    std::vector<DecoderConfig> result;
    for (const auto& named : attention_configs()) { result.push_back(named.config); }
    return result;
}

INSTANTIATE_TEST_SUITE_P(Attention, CountedMemory, ::testing::ValuesIn(configs_of_all_attention()),
                         [](const auto& parameter) { return attention_configs()[parameter.index].name; });

/// Sizes that divide by every number of ranks without padding or copies.
DecoderConfig even_config() {
    auto config = tiny_config();
    config.vocab = 64;
    config.layers = 3;
    return config;
}

class RankCost : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(RankCost, OfAllTensorRanksAddsUpToTheWholeModels) {
    const auto ranks = GetParam();
    const auto config = even_config();
    const auto whole = count_cost(config, 2);

    for (const bool sequence_parallel : {false, true}) {
        const ModelPart part{.tensor = {.leaves = ranks, .first_leaf = 1, .sequence_parallel = sequence_parallel}};
        const auto mine = count_cost(config, part, 2);

        const auto share = static_cast<double>(ranks);
        EXPECT_DOUBLE_EQ(share * mine.training.model_flops, whole.training.model_flops);
        EXPECT_DOUBLE_EQ(share * mine.forward.model_flops, whole.forward.model_flops);
        EXPECT_EQ(mine.parameters.total, whole.parameters.total);
        EXPECT_LT(mine.parameter_bytes, whole.parameter_bytes);
        EXPECT_LT(mine.activation_bytes, whole.activation_bytes);
    }
}

TEST_P(RankCost, OfTensorTrafficIsFourAllReducesALayer) {
    const auto ranks = static_cast<double>(GetParam());
    const auto config = even_config();
    const double rows = 2 * static_cast<double>(config.context);
    const double stream_bytes = rows * static_cast<double>(config.width) * 4;

    // Two forward and two backward in each layer, the looked up rows, the gradient of the head's input, and three
    // numbers a row of the loss. Gathering and scattering rows takes half of an all-reduce each.
    const double all_reduce = 2 * (ranks - 1) / ranks;
    const double expected = all_reduce * ((4.0 * static_cast<double>(config.layers) + 2) * stream_bytes + 3 * rows * 4);

    for (const bool sequence_parallel : {false, true}) {
        const ModelPart part{.tensor = {.leaves = GetParam(), .sequence_parallel = sequence_parallel}};
        EXPECT_DOUBLE_EQ(count_cost(config, part, 2).tensor_traffic.bytes, expected) << sequence_parallel;
    }
}

INSTANTIATE_TEST_SUITE_P(Ranks, RankCost, ::testing::Values(2, 4));

TEST(StageCost, OfAllStagesAddsUpToTheWholeModels) {
    const auto config = even_config();
    const auto whole = count_cost(config, 2);

    const auto first = count_cost(config, {.chunks = {{0, 1}}, .head = false}, 2);
    const auto middle = count_cost(config, {.chunks = {{1, 2}}, .embedding = false, .head = false}, 2);
    const auto last = count_cost(config, {.chunks = {{2, 3}}, .embedding = false}, 2);

    const auto flops = [](const ModelCost& cost) { return cost.training.model_flops; };
    EXPECT_DOUBLE_EQ(flops(first) + flops(middle) + flops(last), flops(whole));
    EXPECT_GT(flops(last), flops(first));
    EXPECT_EQ(first.tensor_traffic.bytes, 0);
    // The tied table lies on both ends, its second gradient on the last.
    const auto table = static_cast<std::size_t>(config.vocab * config.width) * 4;
    EXPECT_EQ(first.parameter_bytes + middle.parameter_bytes + last.parameter_bytes, whole.parameter_bytes + table);
    EXPECT_EQ(first.gradient_bytes, first.parameter_bytes);
    EXPECT_EQ(last.gradient_bytes, last.parameter_bytes + table);
}

TEST(ChooseMicroBatch, DividesTheBatchAndShrinksWithTheContext) {
    DecoderConfig config = tiny_config();
    for (const std::int64_t context : {64, 256, 1024, 4096}) {
        for (const std::int64_t batch : {1, 6, 16, 7, 96}) {
            config.context = context;

            const auto chosen = choose_micro_batch(config, batch);

            EXPECT_EQ(batch % chosen, 0) << context << " " << batch;
            EXPECT_TRUE(chosen == 1 || chosen * context <= 512) << context << " " << batch;
        }
    }
}

TEST(DecoderConfig, ReportsEveryProblemAtOnce) {
    DecoderConfig config;
    config.width = 60;
    config.heads = 7;
    config.kv_heads = 2;
    config.vocab = 0;
    config.dropout = 1;

    const auto found = problems(resolved(config));

    EXPECT_EQ(found.size(), 4u);
    EXPECT_THROW(Decoder{config}, InputError);
}

}  // namespace
}  // namespace loglog::testing
