#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "engine/models/decoder.hpp"
#include "engine/models/decoding.hpp"
#include "tests/support/attention_case.hpp"
#include "tests/support/check_gradient.hpp"

namespace loglog::testing {
namespace {

using ModelCase = NamedConfig;

ModelCase with(const char* name, DecoderConfig config, void (*change)(DecoderConfig&)) {
    change(config);
    return {name, resolved(config)};
}

std::vector<ModelCase> cases() {
    using C = DecoderConfig;
    return {with("Gpt2", tiny_config(), [](C&) {}),
            with("Gpt2DropoutNoBiasUntied", tiny_config(),
                 [](C& c) {
                     c.dropout = 0.1;
                     c.bias = c.tied_head = false;
                 }),
            with("ModernTiedDropoutZLoss", tiny_modern_config(),
                 [](C& c) {
                     c.dropout = 0.1;
                     c.z_loss = 0.01;
                     c.tied_head = true;
                     c.mlp_width = 24;
                 }),
            with("ModernOneKvHeadLargeVocabulary", tiny_modern_config(), [](C& c) {
                c.kv_heads = 1;
                c.vocab = 257;
                c.mlp_width = 24;
                c.bias = c.qkv_bias = true;
            })};
}

ModelPart leaves_on_one_rank(std::int64_t leaves) {
    return {.tensor = {.leaves = leaves, .first_leaf = 0, .leaf_count = leaves}};
}

/// Loss and gradients of a batch in two micro-batches.
template <class T>
struct Outcome {
    double loss;
    std::vector<std::vector<T>> gradients;
};

template <class T>
Outcome<T> outcome(const DecoderConfig& config, std::int64_t leaves) {
    const TokenCase data{4, config.context, config.vocab};
    Decoder model{config, Purpose::training, dtype_of<T>, Backing::memory, leaves_on_one_rank(leaves)};
    model.initialize(Seed{11});
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
    const double loss = accumulate_gradients(context, tape, model, data, 2);
    return {loss, whole_gradients<T>(model.parameters())};
}

class DecoderCut : public ::testing::TestWithParam<ModelCase> {};

template <class T>
void expect_the_uncut_models(const DecoderConfig& config, double tolerance) {
    const auto whole = outcome<T>(config, 1);
    for (const std::int64_t leaves : {2, 4}) {
        const auto cut = outcome<T>(config, leaves);

        EXPECT_NEAR(cut.loss, whole.loss, tolerance * whole.loss) << leaves;
        for (std::size_t p = 0; p < whole.gradients.size(); ++p) {
            double largest = 0;
            double difference = 0;
            for (std::size_t i = 0; i < whole.gradients[p].size(); ++i) {
                const auto a = static_cast<double>(whole.gradients[p][i]);
                largest = std::max(largest, std::abs(a));
                difference = std::max(difference, std::abs(a - static_cast<double>(cut.gradients[p][i])));
            }
            // Some gradients vanish (key biases move all scores alike): they are judged by the usual size of one.
            EXPECT_LE(difference, tolerance * std::max(largest, 1e-2)) << leaves << " leaves, parameter " << p;
        }
    }
}

/// Linear kinds scale heads' small outputs up to unit size, and rounding with them; what double precision proves to
/// 1e-12 holds in float to as many of its roundings.
double float_tolerance(const DecoderConfig& config) {
    const bool is_dense = config.attention.kind == AttentionKind::dense && config.layer_attention.empty();
    return is_dense ? 1e-5 : 1e-12 * std::numeric_limits<float>::epsilon() / std::numeric_limits<double>::epsilon();
}

TEST_P(DecoderCut, GivesTheUncutLossAndGradientsInFloat) {
    const auto& config = GetParam().config;
    expect_the_uncut_models<float>(config, float_tolerance(config));
}

TEST_P(DecoderCut, GivesTheUncutLossAndGradientsInDouble) { expect_the_uncut_models<double>(GetParam().config, 1e-12); }

TEST_P(DecoderCut, GradientMatchesCentralDifferences) {
    const auto& config = GetParam().config;
    Decoder model{config, Purpose::training, DType::float64, Backing::memory, leaves_on_one_rank(4)};
    model.initialize(Seed{11});
    const TokenCase data{2, 6, config.vocab};
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
    auto& parameters = model.parameters();
    accumulate_gradients(context, tape, model, data, 1);
    std::vector<double> all(parameters.all_gradients<double>().begin(), parameters.all_gradients<double>().end());
    const auto objective = [&] {
        tape.reset();
        const auto loss = model.loss(tape, data.part(0, 2), {.seed = Seed{3}, .gradient_scale = 1.0 / 12});
        return (loss.sum + config.z_loss * loss.z_sum) / 12;
    };

    for (std::size_t index = 0; index < parameters.size(); ++index) {
        const auto id = static_cast<ParameterId>(index);
        const auto size = std::min<std::size_t>(parameters.values<double>(id).size(), 16);
        const auto offset = parameters.gradient<double>(id).data() - parameters.all_gradients<double>().data();
        const auto analytic = std::span{all}.subspan(static_cast<std::size_t>(offset), size);

        // Each copy of a shared value is a variable of its own here.
        const auto report =
            check_gradient(objective, parameters.values<double>(id).first(size), analytic, model_gradient_tolerance);

        EXPECT_TRUE(report.agrees) << parameters.spec(id).name << " " << report.worst;
    }
}

TEST_P(DecoderCut, StartsAsTheWholeModelDoes) {
    const auto& config = GetParam().config;
    Decoder whole{config};
    whole.initialize(Seed{9});
    for (const std::int64_t ranks : {1, 2, 4}) {
        std::vector<std::vector<float>> gathered;
        for (const auto& spec : whole.parameters().specs()) {
            gathered.emplace_back(static_cast<std::size_t>(spec.shape.elements()));
        }
        for (std::int64_t rank = 0; rank < ranks; ++rank) {
            for (const bool last_stage : {false, true}) {
                const auto half = config.layers / 2;
                const LayerRange layer{last_stage ? half : 0, last_stage ? config.layers : half};
                Decoder part{config,
                             Purpose::inference,
                             DType::float32,
                             Backing::memory,
                             {.tensor = {.leaves = 4, .first_leaf = rank * 4 / ranks, .leaf_count = 4 / ranks},
                              .chunks = {layer},
                              .embedding = !last_stage,
                              .head = last_stage}};
                part.initialize(Seed{9});
                for (std::size_t p = 0; p < gathered.size(); ++p) {
                    const auto id = static_cast<ParameterId>(p);
                    add_to_whole<float>(part.parameters(), id, part.parameters().values<float>(id), gathered[p], false);
                }
            }
        }
        for (std::size_t p = 0; p < gathered.size(); ++p) {
            const auto expected = whole.parameters().values<float>(static_cast<ParameterId>(p));
            EXPECT_TRUE(std::ranges::equal(gathered[p], expected))
                << whole.parameters().specs()[p].name << " " << ranks;
        }
    }
}

TEST_P(DecoderCut, LeavesPaddingOfTheVocabularyAtZero) {
    const auto& config = GetParam().config;
    const TokenCase data{2, config.context, config.vocab};
    Decoder model{config, Purpose::training, DType::float32, Backing::memory, leaves_on_one_rank(4)};
    model.initialize(Seed{11});

    train(model, data, 3, 2);

    const auto table = model.parameters().find(config.tied_head ? "token_embedding" : "head");
    const auto values = model.parameters().values<float>(table);
    const auto real = static_cast<std::size_t>(config.vocab * config.width);
    ASSERT_GT(values.size(), real);
    EXPECT_TRUE(std::all_of(values.begin() + static_cast<std::ptrdiff_t>(real), values.end(),
                            [](float value) { return value == 0; }));
}

/// Gradients of two stages that run one after the other, each with its own decoder.
template <class Check>
void run_two_stages(const DecoderConfig& config, const TokenCase& data, const Check& check) {
    const auto half = config.layers / 2;
    const auto stage = [&](bool last) {
        Decoder model{config,
                      Purpose::training,
                      DType::float32,
                      Backing::memory,
                      {.chunks = {{last ? half : 0, last ? config.layers : half}}, .embedding = !last, .head = last}};
        model.initialize(Seed{11});
        model.parameters().begin_step();
        return model;
    };
    Decoder first = stage(false);
    Decoder second = stage(true);
    Context context{CpuContext{1}};
    Arena first_arena;
    Arena second_arena;
    Tape first_tape{context, first_arena, Mode::train};
    Tape second_tape{context, second_arena, Mode::train};
    const StepInfo info{.seed = Seed{3}, .gradient_scale = 1.0 / static_cast<double>(data.sequences * data.time)};
    const auto batch = data.part(0, data.sequences);
    Tensor sent = first.embed(first_tape, batch.tokens, batch.time, info);
    for (std::int64_t layer = 0; layer < half; ++layer) {
        sent = first.block(first_tape, layer, sent, batch.time, info);
    }
    const Tensor received = second_tape.empty(sent.shape, sent.dtype);
    std::ranges::copy(sent.values<float>(), received.values<float>().begin());
    Tensor h = received;
    for (std::int64_t layer = half; layer < config.layers; ++layer) {
        h = second.block(second_tape, layer, h, batch.time, info);
    }
    const auto loss = second.head_loss(second_tape, h, batch, info);
    second_tape.backward();
    std::ranges::copy(second_tape.collected<float>(received), first_tape.gradient_of<float>(sent).values.begin());
    first_tape.backward();
    check(loss.sum, first, second, context);
}

TEST_P(DecoderCut, StagesOfAPipelineGiveTheWholeModelsBits) {
    const auto& config = GetParam().config;
    const TokenCase data{2, config.context, config.vocab};
    Decoder whole{config};
    whole.initialize(Seed{11});
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
    const double loss = accumulate_gradients(context, tape, whole, data, 2);

    run_two_stages(config, data, [&](double sum, Decoder& first, Decoder& second, Context& stage_context) {
        EXPECT_EQ(sum / static_cast<double>(data.sequences * data.time), loss);
        for (auto* stage : {&first, &second}) { stage->parameters().finish_step(stage_context); }
        for (std::size_t p = 0; p < whole.parameters().size(); ++p) {
            const auto id = static_cast<ParameterId>(p);
            auto a = first.parameters().gradient<float>(id);
            const auto b = second.parameters().gradient<float>(id);
            std::vector<float> sum_of_stages(a.begin(), a.end());
            sum_of_stages.resize(std::max(a.size(), b.size()));
            for (std::size_t i = 0; i < b.size(); ++i) { sum_of_stages[i] += b[i]; }
            EXPECT_TRUE(std::ranges::equal(sum_of_stages, whole.parameters().gradient<float>(id)))
                << whole.parameters().spec(id).name;
        }
    });
}

INSTANTIATE_TEST_SUITE_P(Models, DecoderCut, ::testing::ValuesIn(cases()),
                         [](const auto& parameter) { return parameter.param.name; });

std::vector<ModelCase> attention_cases() {
    auto result = attention_configs();
    for (auto& named : result) { named.config.vocab = 257; }
    return result;
}

INSTANTIATE_TEST_SUITE_P(Attention, DecoderCut, ::testing::ValuesIn(attention_cases()),
                         [](const auto& parameter) { return parameter.param.name; });

TEST(DecoderPart, NamesTheParametersOfEachLayer) {
    Decoder model{tiny_modern_config()};
    const auto& parameters = model.parameters();

    EXPECT_EQ(model.embedding_parameters(), (ParameterRange{0, 1}));
    EXPECT_EQ(model.parameters_of_layer(0).last, model.parameters_of_layer(1).first);
    EXPECT_TRUE(model.parameters_of_layer(1).contains(parameters.find("blocks.1.attention.key_norm.gain")));
    EXPECT_FALSE(model.parameters_of_layer(0).contains(parameters.find("blocks.1.attention.key_norm.gain")));
    EXPECT_TRUE(model.head_parameters().contains(parameters.find("final_norm.gain")));
    EXPECT_EQ(model.head_parameters().last, parameters.size());
    EXPECT_EQ(model.head_parameters().count(), 2u);
}

TEST(DecoderPart, CannotDecodeOrComputeWhatItHasNoLayersFor) {
    const auto config = tiny_config();
    const TokenCase data{1, config.context, config.vocab};
    Decoder cut{config, Purpose::training, DType::float32, Backing::memory, leaves_on_one_rank(2)};
    Decoder stage{config, Purpose::training, DType::float32, Backing::memory, {.chunks = {{0, 1}}, .head = false}};
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::evaluate};

    EXPECT_THROW((Decoding{cut, context}), InputError);
    EXPECT_THROW(cut.logits(tape, data.tokens, 1, config.context), InputError);
    EXPECT_THROW(stage.loss(tape, data.part(0, 1), {}), InputError);
}

TEST(DecoderPart, SharesRowsOutEvenlyUnderSequenceParallelism) {
    const TensorShard shard{.leaves = 4, .first_leaf = 2, .sequence_parallel = true};
    const Decoder model{tiny_config(), Purpose::inference, DType::float32, Backing::memory, {.tensor = shard}};

    EXPECT_EQ(model.stream_rows(2, 6), 3);
    try {
        model.stream_rows(1, 6);
        ADD_FAILURE() << "six rows were shared among four ranks";
    } catch (const InputError& error) {
        EXPECT_STREQ(error.what(),
                     "sequence parallelism shares the rows of a micro-batch, 1 x 6, among 4 ranks, which must divide "
                     "them: change the micro-batch or the context");
    }
    EXPECT_EQ(Decoder{tiny_config()}.stream_rows(2, 6), 12);
}

class RecordingListener final : public GradientListener {
  public:
    explicit RecordingListener(Decoder& model) : model_{&model} {}
    void on_block_backward(std::int64_t layer) override {
        layers.push_back(layer);
        const auto range = model_->parameters_of_layer(layer);
        for (auto index = range.first; index < range.last; ++index) {
            const auto gradient = model_->parameters().gradient<float>(static_cast<ParameterId>(index));
            complete = complete && std::ranges::find(gradient, missing) == gradient.end();
        }
        if (layer > 0) {
            const auto earlier = model_->parameters().find("blocks." + std::to_string(layer - 1) + ".mlp.up.weight");
            complete = complete && model_->parameters().gradient<float>(earlier)[0] == missing;
        }
    }

    static constexpr float missing = 12345;
    std::vector<std::int64_t> layers;
    bool complete = true;

  private:
    Decoder* model_;
};

TEST(DecoderPart, TellsTheListenerOnceABlocksGradientsAreComplete) {
    const auto config = tiny_config();
    const TokenCase data{2, config.context, config.vocab};
    for (const bool split : {false, true}) {
        Decoder model{config};
        model.initialize(Seed{1});
        Context context{CpuContext{1}};
        Arena arena;
        Tape tape{context, arena, Mode::train};
        RecordingListener listener{model};
        model.parameters().begin_step();
        std::ranges::fill(model.parameters().all_gradients<float>(), RecordingListener::missing);

        model.loss(tape, data.part(0, 2), {.gradient_scale = 1, .listener = &listener});
        if (split) {
            tape.backward_inputs();
            EXPECT_TRUE(listener.layers.empty());
            tape.backward_weights();
        } else {
            tape.backward();
        }

        EXPECT_EQ(listener.layers, (std::vector<std::int64_t>{1, 0}));
        EXPECT_TRUE(listener.complete) << split;
    }
}

TEST(CutProblems, SayWhatToChange) {
    auto config = tiny_config();
    config.heads = 6;
    config.kv_heads = 3;
    config.mlp_width = 66;

    const auto found = cut_problems(config, 4);

    ASSERT_EQ(found.size(), 3u);
    EXPECT_EQ(found[0], "heads is 6 but must be a multiple of the 4 tensor-parallel pieces: make it 8, or tp smaller");
    EXPECT_EQ(found[1],
              "mlp_width is 66 but must be a multiple of the 4 tensor-parallel pieces: make it 68, or tp smaller");
    EXPECT_EQ(found[2],
              "kv_heads is 3 but must divide the 4 tensor-parallel pieces or be a multiple of them: change kv_heads or "
              "tp");
    EXPECT_TRUE(cut_problems(config, 1).empty());
    EXPECT_THROW((Decoder{config, Purpose::inference, DType::float32, Backing::memory, leaves_on_one_rank(4)}),
                 InputError);
}

TEST(TreeLeaves, AreTheMostThatHeadsAndColumnsAllow) {
    auto config = tiny_config();
    EXPECT_EQ(tree_leaves(config), 4);
    config.heads = 16;
    config.kv_heads = 16;
    EXPECT_EQ(tree_leaves(config), 8);
    config.kv_heads = 2;
    EXPECT_EQ(tree_leaves(config), 8);
    config.mlp_width = 6;
    EXPECT_EQ(tree_leaves(config), 2);
    config.heads = 3;
    EXPECT_EQ(tree_leaves(config), 1);
}

}  // namespace
}  // namespace loglog::testing
