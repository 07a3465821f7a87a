#include "engine/autograd/tape.hpp"

#include <gtest/gtest.h>

#include "engine/ops/activation.hpp"
#include "engine/ops/linear.hpp"
#include "tests/support/op_case.hpp"

namespace loglog::testing {
namespace {

class TapeTest : public ::testing::Test {
  protected:
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
};

TEST_F(TapeTest, RunsRecordsNewestFirstAndOnlyOnce) {
    std::vector<int> order;
    auto* log = &order;
    for (int i = 0; i < 3; ++i) {
        tape.record([log, i](Tape&) { log->push_back(i); });
    }

    tape.backward();
    tape.backward();

    EXPECT_EQ(order, (std::vector<int>{2, 1, 0}));
}

TEST_F(TapeTest, TheFirstContributionOverwritesAndLaterOnesAdd) {
    Leaves leaves{1};
    const Tensor x = leaves.add(Shape{2});

    EXPECT_FALSE(tape.gradient_of<double>(x).accumulate);
    EXPECT_TRUE(tape.gradient_of<double>(x).accumulate);
    leaves.forget_gradients();
    EXPECT_FALSE(tape.gradient_of<double>(x).accumulate);
}

TEST_F(TapeTest, AGradientBufferChangesHandsWhenTheTargetHasNone) {
    const Tensor x = tape.empty(Shape{4}, DType::float64);
    const Tensor y = tape.empty(Shape{4}, DType::float64);
    const auto* buffer = tape.gradient_of<double>(y).values.data();

    tape.pass_gradient(y, x);

    EXPECT_EQ(tape.collected<double>(x).data(), buffer);
    EXPECT_EQ(y.gradient->data, nullptr);
}

TEST_F(TapeTest, AnUntouchedGradientIsZero) {
    const Tensor y = tape.empty(Shape{3}, DType::float64);

    for (const double value : tape.collected<double>(y)) { EXPECT_EQ(value, 0); }
}

TEST_F(TapeTest, EvaluationRecordsNothingAndFreesWhatIsDiscarded) {
    Tape evaluation{context, arena, Mode::evaluate};
    bool ran = false;
    auto* flag = &ran;
    evaluation.record([flag](Tape&) { *flag = true; });
    const Tensor x = evaluation.empty(Shape{64}, DType::float32);
    const auto in_use = arena.bytes_in_use();

    evaluation.discard(x);
    evaluation.backward();

    EXPECT_FALSE(ran);
    EXPECT_FALSE(x.needs_gradient());
    EXPECT_EQ(arena.bytes_in_use(), in_use - 256);
}

TEST_F(TapeTest, BackwardOfAChainGivesEveryActivationBack) {
    Leaves leaves{2};
    const Tensor x = leaves.add(Shape{8, 8});
    const Tensor weight = leaves.add(Shape{8, 8});
    Tensor h = x;
    for (int layer = 0; layer < 5; ++layer) {
        h = linear(tape, h, weight, {.residual = h});
        h = activate(tape, h, Activation::gelu);
    }
    Tensor flat = h;
    flat.shape = Shape{1, 64};
    Tensor ones = weight;
    ones.shape = Shape{1, 64};
    ones.gradient = nullptr;
    const Tensor loss = linear(tape, flat, ones);

    tape.backward(loss);

    EXPECT_EQ(arena.bytes_in_use(), 0u);
}

TEST_F(TapeTest, BackwardWantsOneValue) {
    const Tensor two = tape.empty(Shape{2}, DType::float32);

    EXPECT_THROW(tape.backward(two), ShapeError);
}

TEST(CheckGradient, RejectsAGradientWrongByAHundredthOfAPercent) {
    std::vector<double> x{0.3, -1.2, 2.0};
    const auto loss = [&] { return x[0] * x[0] * x[1] + std::sin(x[2]); };
    std::vector<double> right{2 * x[0] * x[1], x[0] * x[0], std::cos(x[2])};

    EXPECT_TRUE(check_gradient(loss, x, right).agrees);
    for (std::size_t i = 0; i < right.size(); ++i) {
        auto wrong = right;
        wrong[i] *= 1.0001;
        const auto report = check_gradient(loss, x, wrong);
        EXPECT_FALSE(report.agrees);
        EXPECT_EQ(report.worst.substr(0, 5), "x[" + std::to_string(i) + "]:");
    }
}

}  // namespace
}  // namespace loglog::testing
