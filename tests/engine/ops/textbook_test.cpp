#include <gtest/gtest.h>

#include "engine/ops/linear.hpp"
#include "engine/ops/sigmoid_cross_entropy.hpp"
#include "tests/support/op_case.hpp"

namespace loglog::testing {
namespace {

// One neuron, as textbooks do it: p = sigmoid(w x + b), loss = -log p for y = 1.
TEST(Textbook, OneNeuronHasTheGradientsThatPaperGives) {
    Leaves leaves{1};
    const Tensor w = leaves.add(Shape{1, 1}, 0, 2.2);
    const Tensor b = leaves.add(Shape{1}, 0, 0.0);
    double x_value = 1.1;
    double y_value = 1;
    const Tensor x{reinterpret_cast<std::byte*>(&x_value), Shape{1, 1}, DType::float64, nullptr};
    const Tensor y{reinterpret_cast<std::byte*>(&y_value), Shape{1, 1}, DType::float64, nullptr};
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};

    const Tensor loss = sigmoid_cross_entropy(tape, linear(tape, x, w, {.bias = b}), y);
    const double loss_value = loss.values<double>()[0];
    tape.backward(loss);

    EXPECT_NEAR(loss_value, -std::log(1 / (1 + std::exp(-2.42))), 1e-15);
    EXPECT_NEAR(leaves.gradients(0)[0], -0.0898, 5e-5);
    EXPECT_NEAR(leaves.gradients(1)[0], -0.0817, 5e-5);
}

TEST(SigmoidCrossEntropy, GradientMatchesCentralDifferences) {
    Leaves leaves{2};
    const Tensor z = leaves.add(Shape{3, 4}, 3);
    Leaves fixed{3};
    Tensor target = fixed.add(Shape{3, 4}, 0, 0.3);
    target.gradient = nullptr;

    const auto op = [&](Tape& tape) { return sigmoid_cross_entropy(tape, z, target); };
    const auto judge = [](std::size_t, const GradientReport& report) { EXPECT_TRUE(report.agrees) << report.worst; };

    check_op(leaves, op, judge);
}

}  // namespace
}  // namespace loglog::testing
