#include "engine/models/decoder.hpp"

#include <gtest/gtest.h>

#include "engine/models/decoding.hpp"
#include "tests/support/allocation_count.hpp"
#include "tests/support/attention_case.hpp"

namespace loglog::testing {
namespace {

DecoderConfig with_everything(DecoderConfig config) {
    config.dropout = 0.1;
    config.z_loss = 1e-3;
    return config;
}

template <class T>
std::vector<T> gradients_of(const DecoderConfig& config, const TokenCase& data, std::int64_t micro_batch,
                            int threads = 1, Recycling recycling = Recycling::on) {
    Decoder model{config, Purpose::training, dtype_of<T>};
    model.initialize(Seed{11});
    Context context{CpuContext{threads}};
    Arena arena;
    Tape tape{context, arena, Mode::train, recycling};
    accumulate_gradients(context, tape, model, data, micro_batch);
    const auto all = model.parameters().all_gradients<T>();
    return {all.begin(), all.end()};
}

class DecoderVariants : public ::testing::TestWithParam<DecoderConfig> {};

TEST_P(DecoderVariants, GradientsDoNotDependOnTheMicroBatch) {
    const auto& config = GetParam();
    const TokenCase data{6, config.context, config.vocab};

    const auto whole = gradients_of<double>(config, data, 6);

    for (const std::int64_t micro_batch : {1, 2, 3}) {
        const auto parts = gradients_of<double>(config, data, micro_batch);
        for (std::size_t i = 0; i < whole.size(); ++i) { ASSERT_NEAR(parts[i], whole[i], 1e-14) << i; }
    }
}

TEST_P(DecoderVariants, GradientsAreBitwiseTheSameForAnyThreadCount) {
    const auto& config = GetParam();
    const TokenCase data{4, config.context, config.vocab};

    const auto one = gradients_of<float>(config, data, 2, 1);

    EXPECT_EQ(one, gradients_of<float>(config, data, 2, 2));
    EXPECT_EQ(one, gradients_of<float>(config, data, 2, 3));
}

TEST_P(DecoderVariants, RecyclingBuffersChangesNothing) {
    const auto& config = GetParam();
    const TokenCase data{4, config.context, config.vocab};

    EXPECT_EQ(gradients_of<float>(config, data, 2, 1, Recycling::on),
              gradients_of<float>(config, data, 2, 1, Recycling::off));
}

TEST_P(DecoderVariants, EvaluationGivesTheTrainingLossWithoutDropout) {
    auto config = GetParam();
    config.dropout = 0;
    const TokenCase data{3, config.context, config.vocab};
    Decoder model{config};
    model.initialize(Seed{4});
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
    Tape evaluation{context, arena, Mode::evaluate};

    tape.reset();
    const double trained = model.loss(tape, data.part(0, 3), {}).sum;
    evaluation.reset();
    const auto evaluated = model.loss(evaluation, data.part(0, 3), {});

    EXPECT_EQ(trained, evaluated.sum);
    EXPECT_EQ(evaluated.targets, 3 * config.context);
}

TEST_P(DecoderVariants, StepsAllocateNothingAfterTheFirst) {
    const auto& config = GetParam();
    const TokenCase data{4, config.context, config.vocab};
    Decoder model{config};
    model.initialize(Seed{4});
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
    const auto step = [&](std::int64_t number) {
        accumulate_gradients(context, tape, model, data, 2, static_cast<std::uint64_t>(number));
        // Training keeps the table from which it takes the gradient's norm; the function for tests makes a new one.
        adamw_step(context, model.parameters(), {}, 1e-3, number, 1.0);
    };
    step(1);
    const auto before = allocation_count();
    const auto peak = arena.peak_bytes();

    step(2);
    step(3);

    EXPECT_EQ(allocation_count(), before);
    EXPECT_EQ(arena.peak_bytes(), peak);
    EXPECT_GT(before, 0);
}

TEST_P(DecoderVariants, DecodingTokenByTokenGivesTheLogitsOfTheWholeText) {
    auto config = GetParam();
    const TokenCase data{1, config.context, config.vocab};
    Decoder model{config};
    model.initialize(Seed{4});
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::evaluate};
    const Tensor whole = model.logits(tape, data.tokens, 1, config.context);
    Decoding decoding{model, context};
    float first_logit = 0;

    for (std::size_t position = 0; position < data.tokens.size(); ++position) {
        const auto logits = decoding.next(data.tokens[position]);
        if (position == 0) { first_logit = logits[0]; }
        for (std::size_t v = 0; v < logits.size(); ++v) {
            // Different summation orders: a few hundred roundings of values of order one.
            ASSERT_NEAR(logits[v], whole.values<float>()[position * logits.size() + v], 2e-5) << position << " " << v;
        }
    }
    if (decoding.capacity() == config.context) { EXPECT_THROW(decoding.next(0), InputError); }
    decoding.clear();
    EXPECT_EQ(decoding.next(data.tokens[0])[0], first_logit);
    EXPECT_THROW(decoding.next(static_cast<std::int32_t>(config.vocab)), InputError);
}

TEST_P(DecoderVariants, LearnsABatchByHeart) {
    auto config = GetParam();
    config.dropout = 0;
    config.init_std = 0.1;
    Decoder model{config};
    model.initialize(Seed{4});
    const TokenCase data{4, config.context, config.vocab};

    const auto losses = train(model, data, 200, 4);

    EXPECT_GT(losses.front(), 2);
    EXPECT_LT(losses.back(), 0.2);
}

INSTANTIATE_TEST_SUITE_P(Models, DecoderVariants,
                         ::testing::Values(with_everything(tiny_config()), with_everything(tiny_modern_config())));

std::vector<DecoderConfig> configs_of_all_attention() {
    std::vector<DecoderConfig> result;
    for (const auto& named : attention_configs()) { result.push_back(with_everything(named.config)); }
    return result;
}

INSTANTIATE_TEST_SUITE_P(Attention, DecoderVariants, ::testing::ValuesIn(configs_of_all_attention()),
                         [](const auto& parameter) { return attention_configs()[parameter.index].name; });

TEST(Decoder, IgnoresTargetsOfMinusOne) {
    const auto config = tiny_config();
    TokenCase data{2, config.context, config.vocab};
    Decoder model{config};
    model.initialize(Seed{4});
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::evaluate};
    const double all = model.loss(tape, data.part(0, 2), {}).sum;
    tape.reset();
    const double first = model.loss(tape, data.part(0, 1), {}).sum;
    for (std::size_t i = data.tokens.size() / 2; i < data.tokens.size(); ++i) { data.targets[i] = -1; }
    tape.reset();

    const auto masked = model.loss(tape, data.part(0, 2), {});

    EXPECT_EQ(masked.targets, config.context);
    EXPECT_NEAR(masked.sum, first, 1e-5 * first);
    EXPECT_GT(all, masked.sum);
}

TEST(Decoder, InitialValuesDependOnSeedNameAndIndexAlone) {
    auto config = tiny_config();
    Decoder small{config};
    config.layers = 5;
    Decoder deep{config};
    small.initialize(Seed{8});
    deep.initialize(Seed{8});
    const auto name = "blocks.1.mlp.up.weight";

    const auto a = small.parameters().values<float>(small.parameters().find(name));
    const auto b = deep.parameters().values<float>(deep.parameters().find(name));

    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end()));
    EXPECT_THROW(small.parameters().find("blocks.9.mlp.up.weight"), InputError);
}

}  // namespace
}  // namespace loglog::testing
