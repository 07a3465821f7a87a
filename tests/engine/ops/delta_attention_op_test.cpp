#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/ops/delta_attention.hpp"
#include "tests/support/op_case.hpp"

namespace loglog::testing {
namespace {

constexpr std::int64_t key_dim = 3;
constexpr std::int64_t value_dim = 5;

void expect_agreement(std::size_t leaf, const GradientReport& report) {
    EXPECT_TRUE(report.agrees) << "leaf " << leaf << " " << report.worst;
}

/// q, k and v in one fused row, beta and g of 4 heads over 2 key/value heads.
struct DeltaLeaves {
    Leaves leaves{1};
    std::int64_t rows;
    Tensor fused, beta, g;

    explicit DeltaLeaves(std::int64_t tokens)
        : rows{tokens},
          fused{leaves.add(Shape{rows, 4 * key_dim + 2 * key_dim + 2 * value_dim})},
          beta{leaves.add(Shape{rows, 4}, 0.1, 0.7)},
          g{leaves.add(Shape{rows, 4}, 0.05, -0.4)} {}

    Heads q() const { return {fused, 0, 4}; }
    Heads k() const { return {fused, 4 * key_dim, 2}; }
    Heads v() const { return {fused, 6 * key_dim, 2}; }
};

LinearAttentionOptions options_of(std::int64_t time, std::int64_t chunk) {
    return {.time = time, .key_dim = key_dim, .value_dim = value_dim, .chunk = chunk, .scale = 0.6};
}

class DeltaAttentionGradient : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(DeltaAttentionGradient, MatchesCentralDifferencesAcrossDocuments) {
    DeltaLeaves c{2 * 9};
    auto options = options_of(9, GetParam());
    const std::vector<std::int32_t> starts{0, 0, 0, 3, 3, 3, 3, 7, 7, 0, 1, 1, 1, 1, 1, 6, 6, 6};
    options.document_start = starts;

    check_op(
        c.leaves, [&](Tape& tape) { return delta_attention(tape, c.q(), c.k(), c.v(), c.beta, c.g, options); },
        expect_agreement);
}

TEST_P(DeltaAttentionGradient, MatchesCentralDifferencesWithoutDecay) {
    DeltaLeaves c{10};
    auto options = options_of(10, GetParam());

    check_op(
        c.leaves,
        [&](Tape& tape) {
            const Tensor out = delta_attention(tape, c.q(), c.k(), c.v(), c.beta, Tensor{}, options);
            // g is a leaf of the case: give it a gradient of its own.
            return linear(tape, c.g, c.g, {.residual = linear(tape, out, out)});
        },
        expect_agreement);
}

INSTANTIATE_TEST_SUITE_P(Chunks, DeltaAttentionGradient, ::testing::Values(1, 4, 64));

TEST(DeltaAttentionOp, StepsEqualTheWholeSequence) {
    DeltaLeaves c{7};
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::evaluate};
    const Tensor all = delta_attention(tape, c.q(), c.k(), c.v(), c.beta, c.g, options_of(7, 4));
    std::vector<double> values(4 * key_dim * value_dim, 0.0);
    const Tensor state{reinterpret_cast<std::byte*>(values.data()), Shape{4, key_dim, value_dim}, DType::float64,
                       nullptr};
    const auto row = [](Tensor x, std::int64_t t) {
        x.data += t * x.shape.back() * static_cast<std::int64_t>(sizeof(double));
        x.shape = Shape{1, x.shape.back()};
        return x;
    };

    for (std::int64_t t = 0; t < 7; ++t) {
        const Tensor token = row(c.fused, t);
        const Tensor out = delta_attention_step(tape, {token, 0, 4}, {token, 4 * key_dim, 2}, {token, 6 * key_dim, 2},
                                                row(c.beta, t), row(c.g, t), options_of(1, 1), state);
        for (std::size_t i = 0; i < out.elements(); ++i) {
            EXPECT_NEAR(out.values<double>()[i], row(all, t).values<double>()[i], 1e-14);
        }
    }
}

TEST(DeltaAttentionOp, CountingTouchesNoMemoryAndGivesTheFormulasFlops) {
    const auto nowhere = [](const Shape& shape, Gradient* gradient) {
        return Tensor{reinterpret_cast<std::byte*>(std::uintptr_t{1} << 40), shape, DType::float32, gradient};
    };
    Gradient gradients[5];
    for (auto& gradient : gradients) { gradient.data = reinterpret_cast<std::byte*>(std::uintptr_t{1} << 41); }
    const std::int64_t rows = 2 * 256;
    const Heads q{nowhere(Shape{rows, 4 * 64}, &gradients[0]), 0, 4};
    const Heads k{nowhere(Shape{rows, 2 * 64}, &gradients[1]), 0, 2};
    const Heads v{nowhere(Shape{rows, 2 * 32}, &gradients[2]), 0, 2};
    Context context{CountingContext{}};
    Arena arena;
    Tape tape{context, arena, Mode::train};

    delta_attention(tape, q, k, v, nowhere(Shape{rows, 4}, &gradients[3]), nowhere(Shape{rows, 4}, &gradients[4]),
                    {.time = 256, .key_dim = 64, .value_dim = 32, .chunk = 64, .scale = 1});
    const double forward = std::get<CountingContext>(context).total().model_flops;
    tape.backward();

    const double per_token = 4 * (6.0 * 64 * 32 + 64.0 * (3 * 64 + 2 * 32) + 64.0 * 64 / 3);
    EXPECT_DOUBLE_EQ(forward, 2 * 256 * per_token);
    EXPECT_DOUBLE_EQ(std::get<CountingContext>(context).total().model_flops, 3 * forward);
}

template <class Call>
std::string message_of(const Call& call) {
    try {
        call();
    } catch (const ShapeError& error) { return error.what(); }
    return "no ShapeError";
}

TEST(DeltaAttentionOp, RejectsWrongShapesByName) {
    DeltaLeaves c{6};
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
    const auto call = [&](const Heads& k, const Tensor& beta, const LinearAttentionOptions& options) {
        return message_of([&] { delta_attention(tape, c.q(), k, c.v(), beta, c.g, options); });
    };
    const std::vector<std::int32_t> starts(5);
    auto short_starts = options_of(6, 4);
    short_starts.document_start = starts;

    EXPECT_THAT(call({c.fused, 0, 3}, c.beta, options_of(6, 4)), ::testing::HasSubstr("delta_attention: 'k'"));
    EXPECT_THAT(call(c.k(), c.fused, options_of(6, 4)), ::testing::HasSubstr("'beta' is [6, 28] but must be [6, 4]"));
    EXPECT_THAT(call(c.k(), c.beta, options_of(4, 4)), ::testing::HasSubstr("whole number of sequences"));
    EXPECT_THAT(call({c.fused, 23, 2}, c.beta, options_of(6, 4)), ::testing::HasSubstr("2 heads of 3 channels"));
    EXPECT_THAT(call(c.k(), c.beta, short_starts), ::testing::HasSubstr("'document_start' is [5] but must be [6]"));
    EXPECT_THAT(
        message_of([&] { delta_attention_step(tape, c.q(), c.k(), c.v(), c.beta, c.g, options_of(1, 1), c.g); }),
        ::testing::HasSubstr("one token of one sequence"));
}

}  // namespace
}  // namespace loglog::testing
