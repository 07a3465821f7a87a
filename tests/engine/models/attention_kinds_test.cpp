#include <gtest/gtest.h>

#include <cmath>

#include "engine/models/decoder.hpp"
#include "engine/models/model_cost.hpp"
#include "tests/support/attention_case.hpp"

namespace loglog::testing {
namespace {

/// Losses of each token of sequences of equal length.
std::vector<double> token_losses(Decoder& model, std::span<const std::int32_t> tokens,
                                 std::span<const std::int32_t> targets, std::int64_t sequences,
                                 std::span<const std::int32_t> document_start = {}) {
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::evaluate};
    const TokenBatch batch{.tokens = tokens,
                           .targets = targets,
                           .sequences = sequences,
                           .time = static_cast<std::int64_t>(tokens.size()) / sequences};
    const auto losses = model.loss(tape, batch, {.document_start = document_start}).token_losses.values<double>();
    return {losses.begin(), losses.end()};
}

class AttentionKinds : public ::testing::TestWithParam<NamedConfig> {};

TEST_P(AttentionKinds, PackedDocumentsAreAsTheyWouldBeAlone) {
    auto config = GetParam().config;
    // A table of positions counts on over the boundary; sinks, blocks and files of patterns are of places in the
    // window.
    if (config.positions == PositionKind::learned) { config.positions = PositionKind::none; }
    config.attention.sinks = 0;
    const auto by_place = [](AttentionKind kind) {
        return kind == AttentionKind::fixed || kind == AttentionKind::bigbird || kind == AttentionKind::pattern;
    };
    if (by_place(config.attention.kind)) { GTEST_SKIP() << "its mask is one of places in the window"; }
    const TokenCase data{1, config.context, config.vocab};
    Decoder model{config, Purpose::inference, DType::float64};
    model.initialize(Seed{4});
    constexpr std::int32_t boundary = 3;
    const std::span tokens{data.tokens};
    const std::span targets{data.targets};
    std::vector<std::int32_t> document_start(data.tokens.size(), boundary);
    std::fill_n(document_start.begin(), boundary, 0);

    const auto packed = token_losses(model, tokens, targets, 1, document_start);
    auto alone = token_losses(model, tokens.first(boundary), targets.first(boundary), 1);
    const auto second = token_losses(model, tokens.subspan(boundary), targets.subspan(boundary), 1);
    const auto mixed = token_losses(model, tokens, targets, 1);
    alone.insert(alone.end(), second.begin(), second.end());

    // Rotation by other angles with the same differences, and chunks that begin elsewhere: tens of roundings.
    for (std::size_t i = 0; i < packed.size(); ++i) { EXPECT_NEAR(packed[i], alone[i], 1e-11) << i; }
    double difference = 0;
    for (std::size_t i = boundary; i < packed.size(); ++i) { difference += std::abs(packed[i] - mixed[i]); }
    EXPECT_GT(difference, 1e-3) << "the boundary makes no difference";
}

TEST_P(AttentionKinds, DoNotSeeTheFuture) {
    const auto& config = GetParam().config;
    TokenCase data{1, config.context, config.vocab};
    Decoder model{config, Purpose::inference, DType::float64};
    model.initialize(Seed{4});
    const auto before = token_losses(model, data.tokens, data.targets, 1);

    data.tokens.back() = (data.tokens.back() + 1) % static_cast<std::int32_t>(config.vocab);
    const auto after = token_losses(model, data.tokens, data.targets, 1);

    for (std::size_t i = 0; i + 1 < before.size(); ++i) { EXPECT_EQ(before[i], after[i]) << i; }
    EXPECT_NE(before.back(), after.back());
}

INSTANTIATE_TEST_SUITE_P(Models, AttentionKinds, ::testing::ValuesIn(attention_configs()),
                         [](const auto& parameter) { return parameter.param.name; });

class HidingNothing : public ::testing::TestWithParam<MixerConfig> {};

TEST_P(HidingNothing, SparseAttentionIsDense) {
    auto dense = tiny_attention_config(AttentionKind::dense);
    auto sparse = dense;
    sparse.attention = GetParam();
    const TokenCase data{2, dense.context, dense.vocab};
    const auto losses = [&](const DecoderConfig& config) {
        Decoder model{config, Purpose::inference, DType::float64};
        model.initialize(Seed{4});
        return token_losses(model, data.tokens, data.targets, 2);
    };

    const auto expected = losses(dense);
    const auto found = losses(sparse);

    // Sums of eight weights in another order, through two layers.
    for (std::size_t i = 0; i < expected.size(); ++i) { EXPECT_NEAR(found[i], expected[i], 1e-13) << i; }
}

std::vector<MixerConfig> settings_that_hide_nothing() {
    std::vector<MixerConfig> result;
    for (const auto kind : {AttentionKind::window, AttentionKind::strided, AttentionKind::fixed, AttentionKind::dilated,
                            AttentionKind::moba}) {
        auto mixer = tiny_mixer(kind);
        mixer.window = 8;
        mixer.sinks = 0;
        mixer.stride = 1;
        mixer.block = kind == AttentionKind::moba ? 2 : 8;
        mixer.top_k = 4;
        result.push_back(mixer);
    }
    auto more = tiny_mixer(AttentionKind::moba);
    more.block = 3;
    more.top_k = 100;
    result.push_back(more);
    return result;
}

INSTANTIATE_TEST_SUITE_P(Kinds, HidingNothing, ::testing::ValuesIn(settings_that_hide_nothing()),
                         [](const auto& parameter) {
                             return std::string{to_string(parameter.param.kind)} +
                                    std::to_string(parameter.param.top_k);
                         });

class MatchedParameters : public ::testing::TestWithParam<AttentionKind> {};

TEST_P(MatchedParameters, AreWithinOnePercentOfDenses) {
    for (const std::int64_t width : {64, 96, 128, 256, 512, 768}) {
        for (const auto activation : {MlpKind::swiglu, MlpKind::gelu}) {
            DecoderConfig dense;
            dense.width = width;
            dense.vocab = 100;
            dense.layers = 4;
            dense.activation = activation;
            dense.match_parameters = true;
            auto other = dense;
            other.attention = tiny_mixer(GetParam());
            other.attention.output_gate = is_softmax(GetParam()) ? 0 : 1;
            dense = resolved(dense);
            other = resolved(other);

            const auto wanted = static_cast<double>(count_parameters(dense).non_embedding());
            const auto found = static_cast<double>(count_parameters(other).non_embedding());

            EXPECT_NEAR(found / wanted, 1, 0.01) << "width " << width << " " << to_string(activation);
            if (other.heads % 2 == 0) { EXPECT_TRUE(cut_problems(other, 2).empty()) << width; }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Kinds, MatchedParameters, ::testing::ValuesIn(all_attention_kinds()),
                         [](const auto& parameter) { return std::string{to_string(parameter.param)}; });

TEST(MatchedParameters, NeverMakeTheMlpNarrowerThanEight) {
    DecoderConfig config;
    config.width = 64;
    config.vocab = 100;
    config.mlp_width = 16;
    config.match_parameters = true;
    config.attention = tiny_mixer(AttentionKind::ssd);
    config.attention.output_gate = 1;

    EXPECT_EQ(mlp_width(resolved(config), 0), 8);
}

TEST(MixerConfig, FillsInWhatTheKindsPublishedFormHas) {
    auto config = tiny_hybrid_config();
    config.layer_attention = {AttentionKind::dense, AttentionKind::lightning, AttentionKind::ssd, AttentionKind::gdn};
    config.attention.conv = config.attention.output_gate = -1;

    EXPECT_EQ(mixer_config(config, 0).output_gate, 0);
    EXPECT_EQ(mixer_config(config, 1).output_gate, 1);
    EXPECT_EQ(mixer_config(config, 2).conv, 0);
    EXPECT_EQ(mixer_config(config, 3).conv, 4);
}

TEST(Rotary, LeavesSoftmaxLayersOfHybridsUnturnedWhereAsked) {
    auto config = tiny_hybrid_config();
    auto unturned = config;
    unturned.attention.rotary = false;
    auto none = config;
    none.positions = PositionKind::none;
    const TokenCase data{1, config.context, config.vocab};
    const auto losses = [&](const DecoderConfig& c) {
        Decoder model{c, Purpose::inference, DType::float64};
        model.initialize(Seed{4});
        return token_losses(model, data.tokens, data.targets, 1);
    };

    // The hybrid's linear layers are of kinds that never turn.
    EXPECT_EQ(losses(unturned), losses(none));
    EXPECT_NE(losses(unturned), losses(config));
}

}  // namespace
}  // namespace loglog::testing
