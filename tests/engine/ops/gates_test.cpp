#include "engine/ops/gates.hpp"

#include <gtest/gtest.h>

#include "tests/support/op_case.hpp"

namespace loglog::testing {
namespace {

void expect_agreement(std::size_t leaf, const GradientReport& report) {
    EXPECT_TRUE(report.agrees) << "leaf " << leaf << " " << report.worst;
}

TEST(DecayGateGradient, MatchesCentralDifferences) {
    Leaves leaves{1};
    const Tensor x = leaves.add(Shape{70, 3}, 2);
    const Tensor log_rate = leaves.add(Shape{3});
    const Tensor offset = leaves.add(Shape{3});

    check_op(
        leaves, [&](Tape& tape) { return decay_gate(tape, x, log_rate, offset); }, expect_agreement);
}

TEST(DecayGateGradient, AddsUpWhenItsInputIsUsedTwice) {
    Leaves leaves{2};
    const Tensor x = leaves.add(Shape{4, 3}, 2);
    const Tensor log_rate = leaves.add(Shape{3});
    const Tensor offset = leaves.add(Shape{3});

    check_op(
        leaves,
        [&](Tape& tape) {
            const Tensor once = decay_gate(tape, x, log_rate, offset);
            return gated(tape, decay_gate(tape, x, offset, log_rate), once);
        },
        expect_agreement);
}

TEST(LogSigmoidGateGradient, MatchesCentralDifferencesWithAndWithoutBias) {
    for (const bool with_bias : {true, false}) {
        Leaves leaves{3};
        const Tensor x = leaves.add(Shape{70, 5}, 2);
        const Tensor bias = with_bias ? leaves.add(Shape{5}) : Tensor{};

        check_op(
            leaves, [&](Tape& tape) { return log_sigmoid_gate(tape, x, bias, 16); }, expect_agreement);
    }
}

TEST(SigmoidGradient, MatchesCentralDifferences) {
    Leaves leaves{4};
    const Tensor x = leaves.add(Shape{4, 7}, 2);

    check_op(
        leaves, [&](Tape& tape) { return sigmoid(tape, x, 2); }, expect_agreement);
}

TEST(GatedGradient, MatchesCentralDifferences) {
    Leaves leaves{5};
    const Tensor y = leaves.add(Shape{4, 7});
    const Tensor x = leaves.add(Shape{4, 7}, 2);

    check_op(
        leaves, [&](Tape& tape) { return gated(tape, y, x); }, expect_agreement);
}

TEST(GatedGradient, AddsUpWhenATensorGatesItself) {
    Leaves leaves{6};
    const Tensor x = leaves.add(Shape{4, 7}, 2);

    check_op(
        leaves, [&](Tape& tape) { return gated(tape, x, x); }, expect_agreement);
}

TEST(HeadSiluGradient, MatchesCentralDifferences) {
    Leaves leaves{7};
    const Tensor x = leaves.add(Shape{5, 6}, 2);

    check_op(
        leaves,
        [&](Tape& tape) {
            const Tensor y = tape.empty(Shape{5, 6}, DType::float64);
            head_silu(tape, Heads{x, 0, 2}, 2, Heads{y, 2, 2});
            head_silu(tape, Heads{x, 4, 1}, 2, Heads{y, 0, 1});
            return y;
        },
        expect_agreement);
}

TEST(Gates, RefuseShapesThatDoNotFit) {
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
    const Tensor x = tape.empty(Shape{4, 3}, DType::float64);
    const Tensor four = tape.empty(Shape{4}, DType::float64);
    const Tensor three = tape.empty(Shape{3}, DType::float64);

    EXPECT_THROW(decay_gate(tape, x, four, three), ShapeError);
    EXPECT_THROW(decay_gate(tape, x, three, four), ShapeError);
    EXPECT_THROW(log_sigmoid_gate(tape, x, four, 16), ShapeError);
    EXPECT_THROW(gated(tape, x, four), ShapeError);
    EXPECT_THROW(head_silu(tape, Heads{x, 0, 3}, 1, Heads{x, 0, 2}), ShapeError);
    try {
        decay_gate(tape, x, three, four);
        FAIL();
    } catch (const ShapeError& error) {
        EXPECT_STREQ(error.what(), "decay_gate: 'offset' is [4] but must be [3] (one value per column of 'x')");
    }
}

TEST(Gates, AreCountedWithoutTouchingMemory) {
    Context context{CountingContext{}};
    Arena arena{Backing::address_space};
    Tape tape{context, arena, Mode::train};
    const Tensor x = tape.empty(Shape{1 << 14, 256}, DType::float32);
    const Tensor heads = tape.empty(Shape{256}, DType::float32);

    const Tensor g = decay_gate(tape, x, heads, heads);
    const Tensor vector = log_sigmoid_gate(tape, g, heads, 16);
    const Tensor y = gated(tape, vector, sigmoid(tape, g));
    const Tensor z = tape.empty(x.shape, x.dtype);
    head_silu(tape, Heads{y, 0, 4}, 64, Heads{z, 0, 4});
    tape.backward();

    EXPECT_EQ(std::get<CountingContext>(context).total().model_flops, 0);
    EXPECT_GT(std::get<CountingContext>(context).total().hardware_flops, 0);
}

}  // namespace
}  // namespace loglog::testing
