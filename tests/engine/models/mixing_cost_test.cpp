// What mixing tokens costs and what decoding must keep, against the formulas per token and layer.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>

#include "engine/models/decoder_parts.hpp"
#include "engine/models/model_cost.hpp"
#include "engine/models/state_size.hpp"
#include "tests/support/attention_case.hpp"

namespace loglog::testing {
namespace {

/// A model's shape, as the formulas call it.
struct Sizes {
    double heads;
    double dim;
    double time;
    double chunk;
};

Sizes sizes_of(const DecoderConfig& c) {
    return {static_cast<double>(c.heads), static_cast<double>(c.head_dim), static_cast<double>(c.context),
            static_cast<double>(std::min(c.attention.chunk, c.context))};
}

/// Multiplications and additions of all weights, for a token. gla's second small matrix counts as a vector elsewhere.
double weight_flops(const DecoderConfig& config) {
    double weights = 0;
    for (const auto& spec : DecoderParts{config}.specs) {
        const bool is_matrix = spec.kind == ParameterClass::hidden_matrix || spec.kind == ParameterClass::unembedding ||
                               (spec.kind == ParameterClass::token_embedding && config.tied_head) ||
                               spec.name.ends_with(".decay.weight");
        if (is_matrix) { weights += static_cast<double>(spec.shape.elements()); }
    }
    return 2 * weights;
}

/// Counted forward FLOPs per token beyond the products with weights, of all layers.
double counted_mixing(const DecoderConfig& config) {
    return count_cost(config, 2).forward_flops_per_token() - weight_flops(config);
}

using Sees = std::function<bool(std::int64_t query, std::int64_t key)>;

/// 4 FLOPs per channel, head, and pair of a query and a key that it sees.
double pairs_mixing(const DecoderConfig& config, const Sees& sees) {
    double pairs = 0;
    for (std::int64_t query = 0; query < config.context; ++query) {
        for (std::int64_t key = 0; key <= query; ++key) { pairs += sees(query, key) ? 1 : 0; }
    }
    const auto s = sizes_of(config);
    return s.heads * 4 * s.dim * pairs / s.time;
}

double moba_pairs_mixing(const DecoderConfig& config) {
    const auto s = sizes_of(config);
    const auto& a = config.attention;
    double pairs = 0;
    for (std::int64_t i = 0; i < config.context; ++i) {
        pairs += static_cast<double>(i % a.block + 1 + std::min(a.top_k - 1, i / a.block) * a.block);
    }
    return s.heads * 4 * s.dim * pairs / s.time;
}

/// Products that choose or map but train nothing: moba's scores of earlier blocks, performer's of queries and keys with
/// its fixed directions.
double choosing(const DecoderConfig& config) {
    const auto s = sizes_of(config);
    if (config.attention.kind == AttentionKind::performer) {
        return s.heads * 2 * 2 * s.dim * static_cast<double>(config.attention.features);
    }
    if (config.attention.kind != AttentionKind::moba) { return 0; }
    double scores = 0;
    for (std::int64_t i = 0; i < config.context; ++i) { scores += static_cast<double>(i / config.attention.block); }
    return s.heads * 2 * s.dim * scores / s.time;
}

/// With keys of `key_dim` channels after the feature map; `normalizer` 4: divided by the sum of weights, 0: not.
double linear_mixing(const DecoderConfig& config, double key_dim, double normalizer) {
    const auto s = sizes_of(config);
    return s.heads * (4 * key_dim * s.dim + (s.chunk + 1) * (key_dim + s.dim) + normalizer * key_dim);
}

double delta_mixing(const DecoderConfig& config) {
    const auto s = sizes_of(config);
    return s.heads * (6 * s.dim * s.dim + 5 * s.chunk * s.dim + s.chunk * s.chunk / 3);
}

/// Forward mixing FLOPs per token of one layer, from the published formulas.
double mixing_by_formula(const DecoderConfig& config) {
    const auto s = sizes_of(config);
    const auto& a = config.attention;
    switch (a.kind) {
        case AttentionKind::dense:
            return s.heads * 2 * s.dim * (s.time + 1);
        case AttentionKind::window: {
            const auto window = static_cast<double>(a.window);
            return s.heads * 4 * s.dim * (window - window * (window - 1) / (2 * s.time));
        }
        case AttentionKind::strided:
            return pairs_mixing(config, [&](auto i, auto j) { return i - j < a.stride || (i - j) % a.stride == 0; });
        case AttentionKind::fixed:
            return pairs_mixing(config, [&](auto i, auto j) {
                return i / a.block == j / a.block || j % a.block >= a.block - a.summary;
            });
        case AttentionKind::bigbird:  // no random blocks
            return pairs_mixing(config, [&](auto i, auto j) {
                return i / a.block - j / a.block <= 2 || j / a.block < a.global_blocks;
            });
        case AttentionKind::dilated:
            return pairs_mixing(config,
                                [&](auto i, auto j) { return (i - j) % a.stride == 0 && i - j < a.window * a.stride; });
        case AttentionKind::pattern:  // rows of blocks of 16: "0", "0-1", "0 2", "1 3"
            return pairs_mixing(config, [](auto i, auto j) {
                constexpr std::array<std::array<bool, 4>, 4> rows{
                    {{true}, {true, true}, {true, false, true}, {false, true, false, true}}};
                return rows[static_cast<std::size_t>(i / 16)][static_cast<std::size_t>(j / 16)];
            });
        case AttentionKind::moba:
            return moba_pairs_mixing(config) + choosing(config);
        case AttentionKind::elu:
            return linear_mixing(config, s.dim, 4);
        case AttentionKind::performer:
            return linear_mixing(config, static_cast<double>(a.features), 4) + choosing(config);
        case AttentionKind::cosformer:
            return linear_mixing(config, 2 * s.dim, 4);
        case AttentionKind::deltanet:
        case AttentionKind::gdn:
            return delta_mixing(config);
        default:  // relu, which does not divide by its weights' sum, and decays
            return linear_mixing(config, s.dim, 0);
    }
}

DecoderConfig config_of(AttentionKind kind) {
    DecoderConfig config;
    config.layers = 3;
    config.width = 64;
    config.heads = 4;
    config.vocab = 50;
    config.context = 64;
    config.attention = {.kind = kind,
                        .window = 24,
                        .stride = 8,
                        .block = 16,
                        .summary = 4,
                        .random_blocks = 0,
                        .top_k = 2,
                        .features = 24,
                        .pattern = "block 16\n0\n0-1\n0 2\n1 3\n",
                        .chunk = 16,
                        .conv = -1,
                        .output_gate = -1};
    return resolved(config);
}

class MixingCost : public ::testing::TestWithParam<AttentionKind> {};

TEST_P(MixingCost, IsThePublishedFormulasPerTokenAndLayer) {
    const auto config = config_of(GetParam());

    const double expected = 3 * mixing_by_formula(config);

    EXPECT_NEAR(counted_mixing(config), expected, 1e-9 * expected);
}

TEST_P(MixingCost, OfTheBackwardPassIsTwiceTheForwardPasss) {
    const auto config = config_of(GetParam());
    const auto cost = count_cost(config, 2);

    // No gradient passes a choice of blocks; through fixed directions one does, but none is theirs.
    const double without = 3 * choosing(config) * (GetParam() == AttentionKind::moba ? 2 : 1);
    const double expected = 3 * cost.forward_flops_per_token() - without;
    EXPECT_NEAR(cost.flops_per_token(), expected, 1e-9 * expected);
    EXPECT_GE(cost.training.hardware_flops, cost.training.model_flops);
}

INSTANTIATE_TEST_SUITE_P(Kinds, MixingCost, ::testing::ValuesIn(all_attention_kinds()),
                         [](const auto& parameter) { return std::string{to_string(parameter.param)}; });

TEST(MixingCost, OfAHybridIsTheSumOfItsLayers) {
    auto config = config_of(AttentionKind::dense);
    config.layer_attention = {AttentionKind::ssd, AttentionKind::gdn, AttentionKind::window};

    const double expected =
        linear_mixing(config, 16, 0) + delta_mixing(config) + mixing_by_formula(config_of(AttentionKind::window));

    EXPECT_NEAR(counted_mixing(config), expected, 1e-9 * expected);
}

/// Mixing's share of a layer's forward FLOPs, in per cent, beside dense attention's projections and a gated MLP.
struct Shares {
    std::int64_t width;
    std::int64_t head_dim;
    std::int64_t time;
    double dense;
    double window;
    double moba;
    double ssd;
    double gdn;
    double precision;  // of the last digit that was published
};

double share_of(const Shares& row, AttentionKind kind) {
    DecoderConfig config;
    config.layers = 1;
    config.width = row.width;
    config.head_dim = row.head_dim;
    config.vocab = 10;
    config.context = row.time;
    config.activation = MlpKind::swiglu;
    config.mlp_width = 8 * row.width / 3;
    config.attention.kind = kind;
    config.attention.window = 256;
    config.attention.block = 64;
    config.attention.top_k = 4;
    config.attention.chunk = 64;
    config = resolved(config);
    const double mixing = counted_mixing(config);
    const auto width = static_cast<double>(row.width);
    const double projections = 8 * width * width + 6 * width * static_cast<double>(config.mlp_width);
    return 100 * mixing / (projections + mixing);
}

TEST(MixingCost, HasThePublishedShareOfALayer) {
    for (const Shares& row :
         {Shares{256, 64, 1024, 25, 12.7, 11.7, 5.9, 10.6, 0.1}, Shares{512, 64, 1024, 14.3, 6.8, 6.2, 3.0, 5.6, 0.1},
          Shares{768, 64, 2048, 18.2, 5.0, 4.6, 2.1, 3.8, 0.1}, Shares{2048, 128, 8192, 25, 2, 2, 1.3, 2.2, 0.1}}) {
        const auto expect = [&](AttentionKind kind, double share, double precision) {
            EXPECT_NEAR(share_of(row, kind), share, precision / 2 + 1e-9) << to_string(kind) << ", width " << row.width;
        };
        const bool in_whole_numbers = row.width == 2048;
        expect(AttentionKind::dense, row.dense, row.precision);
        expect(AttentionKind::window, row.window, in_whole_numbers ? 1 : row.precision);
        expect(AttentionKind::moba, row.moba, in_whole_numbers ? 1 : row.precision);
        expect(AttentionKind::ssd, row.ssd, row.precision);
        expect(AttentionKind::gdn, row.gdn, row.precision);
    }
}

TEST(StateSize, IsThePublishedFormulaOfEveryKind) {
    constexpr std::int64_t heads = 4;
    constexpr std::int64_t kv_heads = 2;
    constexpr std::int64_t dim = 16;
    constexpr std::int64_t time = 64;
    const auto elements = [&](AttentionKind kind) {
        auto config = config_of(kind);
        config.kv_heads = kv_heads;
        return state_elements(config, 1, time);
    };
    using enum AttentionKind;

    for (const auto kind : {dense, strided, bigbird, pattern}) {
        EXPECT_EQ(elements(kind), kv_heads * time * 2 * dim) << to_string(kind);
    }
    EXPECT_EQ(elements(window), kv_heads * 24 * 2 * dim);
    EXPECT_EQ(elements(dilated), kv_heads * time * 2 * dim) << "it reaches further than the text";
    EXPECT_EQ(elements(fixed), kv_heads * 4 * 4 * 2 * dim);
    EXPECT_EQ(elements(moba), kv_heads * time * 2 * dim + kv_heads * dim * (time / 16));
    EXPECT_EQ(elements(elu), heads * (dim * dim + dim));
    EXPECT_EQ(elements(performer), heads * (24 * dim + 24));
    EXPECT_EQ(elements(cosformer), heads * (2 * dim * dim + 2 * dim));
    for (const auto kind : {relu, retention, lightning, ssd, gla, deltanet}) {
        EXPECT_EQ(elements(kind), heads * dim * dim) << to_string(kind);
    }
    EXPECT_EQ(elements(gdn), heads * dim * dim + 3 * (heads + 2 * kv_heads) * dim);
}

TEST(StateSize, OfLinearKindsDoesNotGrowWithTheText) {
    for (const auto kind : all_attention_kinds()) {
        const auto config = config_of(kind);
        const auto grown = state_elements(config, 0, 4 * config.context) - state_elements(config, 0, config.context);
        const bool is_bounded = !is_softmax(kind) || kind == AttentionKind::window;
        EXPECT_EQ(grown == 0, is_bounded) << to_string(kind);
    }
}

TEST(StateSize, IsWhatDecodingAllocatesWhereNothingCanBeForgotten) {
    for (const auto kind : all_attention_kinds()) {
        using enum AttentionKind;
        if (kind == window || kind == dilated || kind == fixed || kind == moba) { continue; }
        auto config = config_of(kind);
        config.kv_heads = 2;
        const DecoderParts parts{config};
        Arena arena;

        const auto state = parts.blocks.front().attention.make_state(arena, config.context, DType::float32);

        std::size_t bytes = 0;
        for (const Tensor* const tensor : {&state.keys, &state.values, &state.state, &state.normalizer, &state.past}) {
            if (tensor->data != nullptr) { bytes += tensor->bytes(); }
        }
        EXPECT_EQ(bytes, state_bytes(config, 0, config.context)) << to_string(kind);
    }
}

TEST(StateSize, OfAModelIsTheSumOfItsLayers) {
    const auto config = tiny_hybrid_config();

    std::int64_t sum = 0;
    for (std::int64_t layer = 0; layer < 4; ++layer) { sum += state_elements(config, layer, 8); }

    EXPECT_EQ(state_elements(config, 8), sum);
    EXPECT_NE(state_elements(config, 0, 8), state_elements(config, 3, 8));
}

}  // namespace
}  // namespace loglog::testing
