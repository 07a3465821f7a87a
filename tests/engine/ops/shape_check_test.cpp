#include <gmock/gmock.h>
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

namespace loglog {
namespace {

class ShapeChecks : public ::testing::Test {
  protected:
    Tensor of(const Shape& shape) { return tape.empty(shape, DType::float32); }

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

TEST_F(ShapeChecks, LinearNamesTheWeightTheBiasAndTheResidual) {
    const Tensor x = of({4, 8});
    const Tensor weight = of({3, 8});

    EXPECT_EQ(message_of([&] {
                  linear(tape, x, of({3, 7}));
              }),
              "linear: 'weight' is [3, 7] but must be [3, 8] (one column per entry of the last axis of 'x' [4, 8])");
    EXPECT_THAT(message_of([&] { linear(tape, x, weight, {.bias = of({4})}); }),
                ::testing::HasSubstr("'bias' is [4] but must be [3]"));
    EXPECT_THAT(message_of([&] { linear(tape, x, weight, {.residual = x}); }),
                ::testing::HasSubstr("'residual' is [4, 8] but must be [4, 3]"));
}

TEST_F(ShapeChecks, NormsNameTheGain) {
    const Tensor x = of({4, 8});

    EXPECT_THAT(message_of([&] { rms_norm(tape, x, of({7}), 1e-5); }), ::testing::HasSubstr("rms_norm: 'gain' is [7]"));
    EXPECT_THAT(message_of([&] { layer_norm(tape, x, of({8}), of({9}), 1e-5); }),
                ::testing::HasSubstr("layer_norm: 'bias' is [9]"));
}

TEST_F(ShapeChecks, AttentionWantsWholeSequencesAndHeadsThatDivide) {
    const Tensor rows = of({6, 24});

    EXPECT_THAT(
        message_of([&] {
            attention(tape, {rows, 0, 2}, {rows, 8, 2}, {rows, 16, 2}, {.time = 4, .head_dim = 4, .dropout = {}});
        }),
        ::testing::HasSubstr("a whole number of sequences"));
    EXPECT_THAT(
        message_of([&] {
            attention(tape, {rows, 0, 3}, {rows, 12, 2}, {rows, 20, 2}, {.time = 3, .head_dim = 4, .dropout = {}});
        }),
        ::testing::HasSubstr("divides its 3"));
}

TEST_F(ShapeChecks, EmbeddingAndLossRefuseIdsOutsideTheVocabulary) {
    const std::vector<std::int32_t> tokens{0, 5};
    const std::vector<std::int32_t> targets{-1, 4};

    EXPECT_THAT(message_of([&] {
                    embedding(tape, tokens, of({5, 4}), Tensor{}, {.time = 2});
                }),
                ::testing::HasSubstr("'tokens' holds 5 at place 1 but the vocabulary has 5 tokens"));
    EXPECT_THAT(message_of([&] {
                    head_loss(tape, of({2, 4}), of({4, 4}), targets, {});
                }),
                ::testing::HasSubstr("'targets' holds 4 at place 1"));
    EXPECT_THAT(message_of([&] {
                    embedding(tape, tokens, of({9, 4}), of({1, 4}), {.time = 2});
                }),
                ::testing::HasSubstr("'position_table' is [1, 4] but must be [2, 4]"));
    EXPECT_THAT(message_of([&] {
                    head_loss(tape, of({3, 4}), of({9, 4}), targets, {});
                }),
                ::testing::HasSubstr("'targets' is [2] but must be [3]"));
}

TEST_F(ShapeChecks, OthersNameWhatIsWrong) {
    EXPECT_THAT(message_of([&] { swiglu(tape, of({2, 5})); }), ::testing::HasSubstr("gate and up of equal width"));
    EXPECT_THAT(message_of([&] {
                    dropout(tape, of({2, 5}), of({2, 4}), {});
                }),
                ::testing::HasSubstr("'residual' is [2, 4] but must be [2, 5]"));
    EXPECT_THAT(message_of([&] {
                    rotary(tape, {of({4, 8}), 0, 2}, of({2, 2}), of({2, 2}), 4);
                }),
                ::testing::HasSubstr("a row per position"));
}

}  // namespace
}  // namespace loglog
