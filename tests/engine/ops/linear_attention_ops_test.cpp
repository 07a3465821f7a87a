#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "engine/ops/decay_attention.hpp"
#include "engine/ops/feature_attention.hpp"
#include "tests/support/op_case.hpp"

namespace loglog::testing {
namespace {

void expect_agreement(std::size_t leaf, const GradientReport& report) {
    EXPECT_TRUE(report.agrees) << "leaf " << leaf << " " << report.worst;
}

// Two sequences of seven tokens, the second of two documents.
constexpr std::int64_t time = 7;
const std::vector<std::int32_t> document_start{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 3, 3};

FeatureAttentionOptions feature_options(FeatureMap map) {
    FeatureAttentionOptions options;
    options.time = time;
    options.key_dim = 4;
    options.value_dim = 3;
    options.chunk = 3;
    options.scale = 0.7;
    options.document_start = document_start;
    options.map = map;
    return options;
}

struct FusedRows {
    Leaves leaves;
    Heads q, k, v;

    explicit FusedRows(std::uint64_t seed) : leaves{seed} {
        const Tensor rows = leaves.add(Shape{2 * time, 2 * 4 + 4 + 3});
        q = {rows, 0, 2};
        k = {rows, 8, 1};
        v = {rows, 12, 1};
    }
};

TEST(FeatureAttentionGradient, MatchesCentralDifferences) {
    FusedRows f{1};
    FeatureAttentionOptions clamped = feature_options(FeatureMap::relu);
    clamped.normalizer_epsilon = 0.4;
    clamped.clamp_normalizer = true;
    FeatureAttentionOptions plain = feature_options(FeatureMap::identity);
    plain.normalizer_epsilon.reset();
    for (const auto& options : {feature_options(FeatureMap::elu_plus_one), clamped, plain}) {
        check_op(
            f.leaves, [&](Tape& tape) { return feature_attention(tape, f.q, f.k, f.v, options); }, expect_agreement);
    }
}

TEST(DecayAttentionGradient, MatchesCentralDifferencesOfQueriesKeysValuesAndDecays) {
    FusedRows f{2};
    const Tensor g = f.leaves.add(Shape{2 * time, 2}, 0.1, -0.5);

    check_op(
        f.leaves,
        [&](Tape& tape) { return decay_attention(tape, f.q, f.k, f.v, g, feature_options(FeatureMap::identity)); },
        expect_agreement);
}

TEST(DecayAttentionGradient, AddsUpWhereTwoLayersShareDecays) {
    FusedRows f{3};
    const Tensor rows = f.leaves.add(Shape{2 * time, 15});
    const Tensor g = f.leaves.add(Shape{2 * time, 2}, 0.1, -0.5);
    const Tensor mix = f.leaves.add(Shape{15, 6});
    const LinearAttentionOptions options = feature_options(FeatureMap::identity);

    check_op(
        f.leaves,
        [&](Tape& tape) {
            const Tensor once = decay_attention(tape, f.q, f.k, f.v, g, options);
            const Tensor next = linear(tape, once, mix, {.residual = rows});
            return decay_attention(tape, {next, 0, 2}, {next, 8, 1}, {next, 12, 1}, g, options);
        },
        expect_agreement);
}

TEST(DecayAttentionGradient, LeavesDecaysThatAreTheSameForAllTokensAlone) {
    FusedRows f{5};
    std::vector<double> g{-0.1, -0.3};
    const Tensor decays{reinterpret_cast<std::byte*>(g.data()), Shape{2}, DType::float64, nullptr};

    check_op(
        f.leaves,
        [&](Tape& tape) { return decay_attention(tape, f.q, f.k, f.v, decays, feature_options(FeatureMap::identity)); },
        expect_agreement);
}

class LinearAttentionOps : public ::testing::Test {
  protected:
    Tensor of(const Shape& shape) { return tape.empty(shape, DType::float64); }
    Tensor zeros(const Shape& shape) {
        const Tensor tensor = of(shape);
        for (double& value : tensor.values<double>()) { value = 0; }
        return tensor;
    }
    Tensor random(const Shape& shape, std::uint64_t index, double scale = 1, double mean = 0) {
        const Tensor tensor = of(shape);
        const Random numbers{Seed{8}, Stream::synthetic_data, index};
        auto values = tensor.values<double>();
        for (std::size_t i = 0; i < values.size(); ++i) { values[i] = mean + scale * numbers.normal(i); }
        return tensor;
    }
    template <class Op>
    std::string message_of(const Op& op) {
        try {
            op();
        } catch (const InputError& error) { return error.what(); }
        return "nothing was thrown";
    }

    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
};

Tensor row_of(const Tensor& rows, std::int64_t t) {
    const auto width = rows.shape.back();
    return {rows.data + t * width * static_cast<std::int64_t>(sizeof(double)), Shape{1, width}, rows.dtype, nullptr};
}

TEST_F(LinearAttentionOps, StepsGiveWhatWholeSequencesGive) {
    const Tensor rows = random(Shape{time, 15}, 1);
    const Tensor g = random(Shape{time, 2}, 2, 0.1, -0.5);
    auto options = feature_options(FeatureMap::elu_plus_one);
    options.document_start = {};
    const Tensor featured = feature_attention(tape, {rows, 0, 2}, {rows, 8, 1}, {rows, 12, 1}, options);
    const Tensor decayed = decay_attention(tape, {rows, 0, 2}, {rows, 8, 1}, {rows, 12, 1}, g, options);
    const Tensor feature_state = zeros(Shape{2, 4, 3});
    const Tensor normalizer = zeros(Shape{2, 4});
    const Tensor decay_state = zeros(Shape{2, 4, 3});

    for (std::int64_t t = 0; t < time; ++t) {
        const Tensor row = row_of(rows, t);
        const Tensor one =
            feature_attention_step(tape, {row, 0, 2}, {row, 8, 1}, {row, 12, 1}, options, feature_state, normalizer);
        const Tensor two =
            decay_attention_step(tape, {row, 0, 2}, {row, 8, 1}, {row, 12, 1}, row_of(g, t), options, decay_state);

        for (std::size_t i = 0; i < 6; ++i) {
            EXPECT_NEAR(one.values<double>()[i], row_of(featured, t).values<double>()[i], 1e-14);
            EXPECT_NEAR(two.values<double>()[i], row_of(decayed, t).values<double>()[i], 1e-14);
        }
    }
}

TEST_F(LinearAttentionOps, NameWhatHasTheWrongShape) {
    const Tensor rows = of(Shape{14, 15});
    const Heads q{rows, 0, 2}, k{rows, 8, 1}, v{rows, 12, 1};
    const auto options = feature_options(FeatureMap::elu_plus_one);
    auto odd = options;
    odd.time = 4;
    auto brief = options;
    brief.document_start = std::span{document_start}.first(7);
    auto no_chunk = options;
    no_chunk.chunk = 0;

    EXPECT_THAT(message_of([&] { feature_attention(tape, q, k, v, odd); }),
                ::testing::HasSubstr("feature_attention: 'q' is [14, 15]"));
    EXPECT_THAT(message_of([&] {
                    feature_attention(tape, q, k, {rows, 13, 1}, options);
                }),
                ::testing::HasSubstr("'v' is [14, 15] but must be [14, 16]"));
    EXPECT_THAT(message_of([&] {
                    feature_attention(tape, q, k, {rows, 9, 2}, options);
                }),
                ::testing::HasSubstr("as many heads as 'k'"));
    EXPECT_THAT(message_of([&] { feature_attention(tape, q, k, v, brief); }),
                ::testing::HasSubstr("'document_start' is [7] but must be [14] (one place per token)"));
    EXPECT_THAT(message_of([&] { feature_attention(tape, q, k, v, no_chunk); }),
                ::testing::HasSubstr("'chunk' is 0 but must be at least 1"));
    EXPECT_THAT(message_of([&] {
                    decay_attention(tape, q, k, v, of(Shape{14, 3}), options);
                }),
                ::testing::HasSubstr("decay_attention: 'g' is [14, 3] but must be [14, 2]"));
    EXPECT_THAT(message_of([&] { decay_attention(tape, q, k, v, of(Shape{3}), options); }),
                ::testing::HasSubstr("'g' is [3] but must be [2]"));
    EXPECT_THAT(
        message_of([&] {
            const Tensor row = of(Shape{1, 15});
            feature_attention_step(tape, {row, 0, 2}, {row, 8, 1}, {row, 12, 1}, options, of(Shape{2, 4, 4}), Tensor{});
        }),
        ::testing::HasSubstr("'state' is [2, 4, 4] but must be [2, 4, 3]"));
}

// The counting tape's memory is address space that nothing may touch, so that a read or write would end the test.
TEST(LinearAttentionCounting, AddsUpTheCostsOfBothPassesWithoutTouchingMemory) {
    const std::int64_t long_time = 1 << 20;
    Context context{CountingContext{}};
    Arena arena{Backing::address_space};
    Tape tape{context, arena, Mode::train};
    const Tensor rows = tape.empty(Shape{long_time, 4 * 3 * 64}, DType::float32);
    const Tensor g = tape.empty(Shape{long_time, 4}, DType::float32);
    const Heads q{rows, 0, 4}, k{rows, 256, 4}, v{rows, 512, 4};
    FeatureAttentionOptions options;
    options.time = long_time;
    options.key_dim = options.value_dim = 64;
    const double products = 4.0 * 64 * 64 + 65 * 128;

    feature_attention(tape, q, k, v, options);
    const double forward = std::get<CountingContext>(context).total().model_flops;
    tape.backward();
    const double featured = std::get<CountingContext>(context).total().model_flops;
    tape.reset();
    decay_attention(tape, q, k, v, g, options);
    tape.backward();
    const double both = std::get<CountingContext>(context).total().model_flops;

    EXPECT_EQ(forward, static_cast<double>(long_time) * 4 * (products + 4 * 64));
    EXPECT_EQ(featured, 3 * forward);
    EXPECT_EQ(both - featured, 3 * static_cast<double>(long_time) * 4 * products);
}

}  // namespace
}  // namespace loglog::testing
