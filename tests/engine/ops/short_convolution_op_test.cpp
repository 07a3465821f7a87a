#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "engine/ops/short_convolution.hpp"
#include "tests/support/op_case.hpp"

namespace loglog::testing {
namespace {

void expect_agreement(std::size_t leaf, const GradientReport& report) {
    EXPECT_TRUE(report.agrees) << "leaf " << leaf << " " << report.worst;
}

TEST(ShortConvolutionGradient, MatchesCentralDifferencesWhereATensorIsUsedTwice) {
    Leaves leaves{1};
    const Tensor x = leaves.add(Shape{2 * 7, 5});
    const Tensor weight = leaves.add(Shape{5, 4});
    const std::vector<std::int32_t> starts{0, 0, 0, 0, 4, 4, 4, 0, 1, 1, 1, 1, 1, 1};

    check_op(
        leaves,
        [&](Tape& tape) {
            const Tensor once = short_convolution(tape, x, weight, {.time = 7, .document_start = starts});
            const Tensor twice = short_convolution(tape, once, weight, {.time = 7, .document_start = starts});
            return linear(tape, twice, x);
        },
        expect_agreement);
}

TEST(ShortConvolutionOp, StepsEqualTheWholeSequence) {
    Leaves leaves{2};
    const Tensor x = leaves.add(Shape{6, 3});
    const Tensor weight = leaves.add(Shape{3, 4});
    std::vector<double> past(9, 0.0);
    const Tensor window{reinterpret_cast<std::byte*>(past.data()), Shape{3, 3}, DType::float64, nullptr};
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::evaluate};
    const Tensor all = short_convolution(tape, x, weight, {.time = 6});

    for (std::size_t t = 0; t < 6; ++t) {
        Tensor token = x;
        token.data += t * 3 * sizeof(double);
        token.shape = Shape{1, 3};
        const Tensor y = short_convolution_step(tape, token, weight, window);
        for (std::size_t c = 0; c < 3; ++c) {
            EXPECT_NEAR(y.values<double>()[c], all.values<double>()[t * 3 + c], 1e-15);
        }
    }
}

TEST(ShortConvolutionOp, CountingTouchesNoMemory) {
    Gradient gradients[2];
    for (auto& gradient : gradients) { gradient.data = reinterpret_cast<std::byte*>(std::uintptr_t{1} << 41); }
    auto* const nowhere = reinterpret_cast<std::byte*>(std::uintptr_t{1} << 40);
    Context context{CountingContext{}};
    Arena arena;
    Tape tape{context, arena, Mode::train};

    short_convolution(tape, {nowhere, Shape{64, 8}, DType::float32, &gradients[0]},
                      {nowhere, Shape{8, 4}, DType::float32, &gradients[1]}, {.time = 32});
    tape.backward();

    EXPECT_EQ(std::get<CountingContext>(context).total().model_flops, 0);
    EXPECT_GT(std::get<CountingContext>(context).total().hardware_flops, 64 * 8 * (2 * 4 + 3 * 2 * 4));
}

template <class Call>
std::string message_of(const Call& call) {
    try {
        call();
    } catch (const ShapeError& error) { return error.what(); }
    return "no ShapeError";
}

TEST(ShortConvolutionOp, RejectsWrongShapesByName) {
    Leaves leaves{3};
    const Tensor x = leaves.add(Shape{6, 3});
    const Tensor long_weight = leaves.add(Shape{3, 9});
    const Tensor weight = leaves.add(Shape{3, 4});
    const std::vector<std::int32_t> starts(5);
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
    const auto call = [&](const Tensor& w, const ShortConvolutionOptions& options) {
        return message_of([&] { short_convolution(tape, x, w, options); });
    };

    EXPECT_THAT(call(long_weight, {.time = 6}), ::testing::HasSubstr("'weight' is [3, 9] but must be [3, 8]"));
    EXPECT_THAT(call(weight, {.time = 4}), ::testing::HasSubstr("whole number of sequences"));
    EXPECT_THAT(call(weight, {.time = 6, .document_start = starts}), ::testing::HasSubstr("'document_start' is [5]"));
    EXPECT_THAT(message_of([&] { short_convolution_step(tape, x, weight, x); }),
                ::testing::HasSubstr("one token of one sequence"));
}

}  // namespace
}  // namespace loglog::testing
