#include <gtest/gtest.h>

#include "engine/ops/activation.hpp"
#include "engine/ops/attention.hpp"
#include "engine/ops/dropout.hpp"
#include "engine/ops/embedding.hpp"
#include "engine/ops/head_loss.hpp"
#include "engine/ops/layer_norm.hpp"
#include "engine/ops/linear.hpp"
#include "engine/ops/rms_norm.hpp"
#include "engine/ops/rotary.hpp"
#include "tests/support/op_case.hpp"

namespace loglog::testing {
namespace {

void expect_agreement(std::size_t leaf, const GradientReport& report) {
    EXPECT_TRUE(report.agrees) << "leaf " << leaf << " " << report.worst;
}

TEST(LinearGradient, MatchesCentralDifferencesWithBiasAndResidual) {
    Leaves leaves{1};
    const Tensor x = leaves.add(Shape{5, 7});
    const Tensor weight = leaves.add(Shape{3, 7});
    const Tensor bias = leaves.add(Shape{3});
    const Tensor residual = leaves.add(Shape{5, 3});

    check_op(
        leaves,
        [&](Tape& tape) {
            return linear(tape, x, weight, {.bias = bias, .residual = residual, .residual_scale = 0.5});
        },
        expect_agreement);
}

TEST(LinearGradient, AddsUpWhenATensorIsUsedTwice) {
    Leaves leaves{2};
    const Tensor x = leaves.add(Shape{4, 4});
    const Tensor weight = leaves.add(Shape{4, 4});

    check_op(
        leaves,
        [&](Tape& tape) {
            const Tensor once = linear(tape, x, weight);
            const Tensor twice = linear(tape, once, weight, {.residual = once});
            return linear(tape, twice, weight, {.residual = x, .residual_scale = 2});
        },
        expect_agreement);
}

class FusedActivationGradient : public ::testing::TestWithParam<Activation> {};

TEST_P(FusedActivationGradient, MatchesCentralDifferences) {
    Leaves leaves{3};
    const Tensor x = leaves.add(Shape{5, 6});
    const Tensor up = leaves.add(Shape{9, 6});
    const Tensor up_bias = leaves.add(Shape{9});
    const Tensor down = leaves.add(Shape{6, 9});

    check_op(
        leaves,
        [&](Tape& tape) {
            const auto hidden = linear_activated(tape, x, up, up_bias, GetParam());
            return linear(tape, hidden, down, {.residual = x, .residual_scale = 0.7});
        },
        expect_agreement);
}

TEST_P(FusedActivationGradient, MatchesCentralDifferencesWhenNotFused) {
    Leaves leaves{4};
    const Tensor x = leaves.add(Shape{3, 11});

    check_op(
        leaves, [&](Tape& tape) { return activate(tape, x, GetParam()); }, expect_agreement);
}

INSTANTIATE_TEST_SUITE_P(Kinds, FusedActivationGradient,
                         ::testing::Values(Activation::gelu, Activation::gelu_erf, Activation::relu));

TEST(SwigluGradient, MatchesCentralDifferences) {
    Leaves leaves{5};
    const Tensor x = leaves.add(Shape{4, 10});

    check_op(
        leaves, [&](Tape& tape) { return swiglu(tape, x); }, expect_agreement);
}

TEST(LayerNormGradient, MatchesCentralDifferencesWithAndWithoutBias) {
    Leaves leaves{6};
    const Tensor x = leaves.add(Shape{4, 9}, 2, 1);
    const Tensor gain = leaves.add(Shape{9});
    const Tensor bias = leaves.add(Shape{9});

    check_op(
        leaves,
        [&](Tape& tape) { return layer_norm(tape, layer_norm(tape, x, gain, bias, 1e-5), gain, Tensor{}, 1e-5); },
        expect_agreement);
}

TEST(LayerNormGradient, AddsToWhatAResidualLeft) {
    Leaves leaves{7};
    const Tensor x = leaves.add(Shape{3, 5});
    const Tensor gain = leaves.add(Shape{5});
    const Tensor weight = leaves.add(Shape{5, 5});

    check_op(
        leaves,
        [&](Tape& tape) {
            const Tensor normed = layer_norm(tape, x, gain, Tensor{}, 1e-5);
            return linear(tape, normed, weight, {.residual = x});
        },
        expect_agreement);
}

TEST(RmsNormGradient, MatchesCentralDifferences) {
    Leaves leaves{8};
    const Tensor x = leaves.add(Shape{4, 9}, 2);
    const Tensor gain = leaves.add(Shape{9});

    check_op(
        leaves, [&](Tape& tape) { return rms_norm(tape, rms_norm(tape, x, gain, 1e-5), gain, 1e-5); },
        expect_agreement);
}

struct AttentionCase {
    std::int64_t heads;
    std::int64_t kv_heads;
    float dropout;
};

class AttentionGradient : public ::testing::TestWithParam<AttentionCase> {};

TEST_P(AttentionGradient, MatchesCentralDifferencesThroughHeadNormAndRotary) {
    const auto [heads, kv_heads, dropout] = GetParam();
    constexpr std::int64_t head_dim = 4;
    constexpr std::int64_t time = 7;
    Leaves leaves{9};
    const Tensor fused = leaves.add(Shape{2 * time, (heads + 2 * kv_heads) * head_dim});
    const Tensor gain = leaves.add(Shape{head_dim}, 0.3, 1);
    Leaves tables{10};  // any angles do; not leaves of the check
    const Tensor cosine = tables.add(Shape{time, head_dim / 2});
    const Tensor sine = tables.add(Shape{time, head_dim / 2});

    check_op(
        leaves,
        [&](Tape& tape) {
            const Tensor normed = tape.empty(Shape{2 * time, (heads + kv_heads) * head_dim}, fused.dtype);
            tape.retire_in_backward(normed);
            const Heads q{normed, 0, heads};
            const Heads k{normed, heads * head_dim, kv_heads};
            const Heads v{fused, (heads + kv_heads) * head_dim, kv_heads};
            head_norm(tape, {fused, 0, heads}, gain, 1e-5, q);
            head_norm(tape, {fused, heads * head_dim, kv_heads}, gain, 1e-5, k);
            rotary(tape, {normed, 0, heads + kv_heads}, cosine, sine, time);
            AttentionOptions options{.time = time, .head_dim = head_dim, .scale = 0.5, .dropout = {}};
            options.dropout.probability = dropout;
            return attention(tape, q, k, v, options);
        },
        expect_agreement);
}

INSTANTIATE_TEST_SUITE_P(Heads, AttentionGradient,
                         ::testing::Values(AttentionCase{2, 2, 0}, AttentionCase{4, 2, 0}, AttentionCase{3, 1, 0.2F}));

TEST(EmbeddingGradient, MatchesCentralDifferencesWithRepeatedTokens) {
    Leaves leaves{11};
    const Tensor tokens_table = leaves.add(Shape{5, 3});
    const Tensor position_table = leaves.add(Shape{4, 3});
    const std::vector<std::int32_t> tokens{0, 3, 3, 1, 4, 3};

    check_op(
        leaves,
        [&](Tape& tape) {
            return embedding(tape, tokens, tokens_table, position_table,
                             {.time = 3, .scale = 1.5, .first_position = 0});
        },
        expect_agreement);
}

TEST(DropoutGradient, MatchesCentralDifferencesOnTheSameMask) {
    Leaves leaves{12};
    const Tensor x = leaves.add(Shape{6, 10});
    const Tensor residual = leaves.add(Shape{6, 10});

    check_op(
        leaves,
        [&](Tape& tape) {
            return dropout(tape, x, residual,
                           {.probability = 0.3, .seed = Seed{3}, .step = 5, .place = 2, .first_row = 8, .scale = 0.5});
        },
        expect_agreement);
}

class HeadLossGradient : public ::testing::TestWithParam<double> {};

TEST_P(HeadLossGradient, MatchesCentralDifferencesAcrossBlocks) {
    constexpr std::int64_t rows = 70;  // more than the smallest block, and no multiple of it
    constexpr std::int64_t vocab = 6000;
    ASSERT_LT(head_block_rows(vocab, sizeof(double)), rows);
    Leaves leaves{13};
    const Tensor h = leaves.add(Shape{rows, 2});
    const Tensor weight = leaves.add(Shape{vocab, 2}, 0.5);
    std::vector<std::int32_t> targets(rows);
    for (std::size_t i = 0; i < targets.size(); ++i) { targets[i] = static_cast<std::int32_t>(i * 83); }
    targets[3] = -1;
    const double z_loss = GetParam();
    const auto objective = [&](Tape& tape, Ask) {
        const auto loss =
            head_loss(tape, h, weight, targets, {.logit_scale = 0.8, .z_loss = z_loss, .gradient_scale = 1.0 / rows});
        double sum = 0;
        for (std::size_t i = 0; i < targets.size(); ++i) {
            const double log_z = loss.log_z.values<double>()[i];
            if (targets[i] >= 0) { sum += loss.token_losses.values<double>()[i] + z_loss * log_z * log_z; }
        }
        return sum / rows;
    };

    // All of h, and the rows of the weight that the first targets pick: the whole table would take long.
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
    leaves.forget_gradients();
    objective(tape, Ask::gradients);
    const std::vector<double> dh(leaves.gradients(0).begin(), leaves.gradients(0).end());
    const std::vector<double> dw(leaves.gradients(1).begin(), leaves.gradients(1).begin() + 600);
    const auto value = [&] {
        tape.reset();
        return objective(tape, Ask::value);
    };

    expect_agreement(0, check_gradient(value, leaves.values(0), dh));
    expect_agreement(1, check_gradient(value, leaves.values(1).first(600), dw, {.relative = 1e-5}));
}

INSTANTIATE_TEST_SUITE_P(ZLoss, HeadLossGradient, ::testing::Values(0.0, 0.01));

}  // namespace
}  // namespace loglog::testing
