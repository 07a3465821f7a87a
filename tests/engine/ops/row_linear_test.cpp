#include "engine/ops/row_linear.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "engine/parallel/counting_group.hpp"
#include "tests/support/linear_case.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/thread_group.hpp"

namespace loglog::testing {
namespace {

void expect_agreement(std::size_t leaf, const GradientReport& report) {
    EXPECT_TRUE(report.agrees) << "leaf " << leaf << " " << report.worst;
}

class LeafCount : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(LeafCount, ColumnCutOfThreeBlocksHasTheRightGradients) {
    const std::int64_t leaves = GetParam();
    Leaves inputs{31};
    const Tensor x = inputs.add(Shape{5, 7});
    const Tensor weight = inputs.add(Shape{leaves * 6, 7});
    const Tensor bias = inputs.add(Shape{leaves * 6});
    const ColumnCut cut{.leaf_count = leaves, .rows_per_leaf = {3, 1, 2}, .blocks = 3};

    check_op(
        inputs, [&](Tape& tape) { return linear(tape, x, weight, {.bias = bias, .cut = cut}); }, expect_agreement);
}

TEST_P(LeafCount, RowCutHasTheRightGradients) {
    const std::int64_t leaves = GetParam();
    Leaves inputs{32};
    const Tensor x = inputs.add(Shape{5, leaves * 3});
    const Tensor weight = inputs.add(Shape{6, leaves * 3});
    const Tensor bias = inputs.add(Shape{6});
    const Tensor residual = inputs.add(Shape{5, 6});

    check_op(
        inputs,
        [&](Tape& tape) {
            const Tensor y = row_linear(tape, x, weight, {.leaf_count = leaves});
            return bias_residual(tape, y, bias, residual, 0.7);
        },
        expect_agreement);
}

TEST_P(LeafCount, FusedActivationBetweenCutLayersHasTheRightGradients) {
    const std::int64_t leaves = GetParam();
    Leaves inputs{33};
    const Tensor x = inputs.add(Shape{5, 6});
    const Tensor up = inputs.add(Shape{leaves * 3, 6});
    const Tensor up_bias = inputs.add(Shape{leaves * 3});
    const Tensor down = inputs.add(Shape{6, leaves * 3});
    const ColumnCut cut{.leaf_count = leaves, .rows_per_leaf = {3}, .blocks = 1};

    check_op(
        inputs,
        [&](Tape& tape) {
            const auto hidden = linear_activated(tape, x, up, up_bias, Activation::gelu, cut);
            const Tensor y = row_linear(tape, hidden, down, {.leaf_count = leaves});
            return bias_residual(tape, y, Tensor{}, x, 1);
        },
        expect_agreement);
}

INSTANTIATE_TEST_SUITE_P(OnOneRank, LeafCount, ::testing::Values(1, 2, 4, 8));

TEST(BiasResidual, HasTheRightGradientsWithAnyOfItsPartsAbsent) {
    for (const double scale : {1.0, 0.3}) {
        for (const bool has_bias : {false, true}) {
            for (const bool has_residual : {false, true}) {
                Leaves inputs{34};
                const Tensor x = inputs.add(Shape{5, 7});
                const Tensor weight = inputs.add(Shape{7, 7});
                const Tensor bias = has_bias ? inputs.add(Shape{7}) : Tensor{};

                check_op(
                    inputs,
                    [&](Tape& tape) {
                        const Tensor stream = linear(tape, x, weight);
                        const Tensor y = linear(tape, stream, weight);
                        return bias_residual(tape, y, bias, has_residual ? stream : Tensor{}, scale);
                    },
                    expect_agreement);
            }
        }
    }
}

constexpr MlpSizes mlp_sizes[] = {{.rows = 8, .width = 5, .hidden = 24},
                                  {.rows = 40, .width = 33, .hidden = 8 * 20},
                                  {.rows = 16, .width = 24, .hidden = 8 * 520}};  // leaves deeper than one sum's range

struct Spreading {
    MlpForm form;
    int ranks;
    bool sequence_parallel;
};

class SpreadMlp : public ::testing::TestWithParam<Spreading> {};

TEST_P(SpreadMlp, HasTheBitsOfOneRankWithTheSameLeaves) {
    const auto [form, ranks, sequence_parallel] = GetParam();
    for (const MlpSizes& sizes : mlp_sizes) {
        const MlpCase<float> mlp{form, sizes};
        const auto one_rank = mlp.run({.leaves = 8});
        on_ranks(ranks, [&](Group& group) {
            const LeafSpread spread{.leaves = 8, .group = &group, .sequence_parallel = sequence_parallel};
            auto expected = mlp.part(one_rank, spread);

            auto mine = mlp.run(spread);

            if (sequence_parallel) {
                group.all_reduce_sum(mine.d_bias);
                EXPECT_TRUE(all_near(mine.d_bias, expected.d_bias, 40 * std::numeric_limits<float>::epsilon()));
                mine.d_bias = expected.d_bias;
            }
            expect_same_bits(mine, expected);
        });
    }
}

TEST_P(SpreadMlp, DelayedWeightGradientsHaveTheSameBits) {
    const auto [form, ranks, sequence_parallel] = GetParam();
    const MlpCase<float> mlp{form, mlp_sizes[1]};
    on_ranks(ranks, [&](Group& group) {
        const LeafSpread spread{.leaves = 8, .group = &group, .sequence_parallel = sequence_parallel};

        expect_same_bits(mlp.run(spread, Steps::split), mlp.run(spread));
    });
}

INSTANTIATE_TEST_SUITE_P(Layouts, SpreadMlp,
                         ::testing::Values(Spreading{MlpForm::swiglu, 2, false}, Spreading{MlpForm::swiglu, 4, false},
                                           Spreading{MlpForm::swiglu, 8, false}, Spreading{MlpForm::gelu, 2, false},
                                           Spreading{MlpForm::gelu, 8, false}, Spreading{MlpForm::swiglu, 4, true},
                                           Spreading{MlpForm::swiglu, 8, true}, Spreading{MlpForm::gelu, 4, true}));

TEST(CutMlp, AgreesWithTheUncutOneUpToTheOrderOfSums) {
    for (const MlpForm form : {MlpForm::swiglu, MlpForm::gelu}) {
        const MlpCase<double> mlp{form, {.rows = 7, .width = 9, .hidden = 24}};
        const auto uncut = mlp.run({.leaves = 0});
        for (const std::int64_t leaves : {1, 2, 4, 8}) {
            // Two sums of 48 terms differ by less than 2 * 48 roundings of what their terms' sizes add up to, here some
            // ten times the largest result, and an error passes through two layers.
            expect_near(mlp.run({.leaves = leaves}), uncut, 2 * 2 * 48 * 10 * std::numeric_limits<double>::epsilon());
        }
    }
}

TEST(CutMlp, OneLeafOfOneBlockIsTheUncutLayerBitForBit) {
    const MlpCase<float> mlp{MlpForm::gelu, {.rows = 40, .width = 33, .hidden = 56}};

    expect_same_bits(mlp.run({.leaves = 1}), mlp.run({.leaves = 0}));
}

TEST(RowLinear, CountsWithoutTouchingMemory) {
    Context context{CountingContext{}};
    Arena arena{Backing::address_space};
    Tape tape{context, arena, Mode::train};
    CountingGroup group{1, 2};
    const auto input = [&](const Shape& shape) { return tape.empty(shape, DType::float32); };
    const Tensor x = input(Shape{64, 32});
    const ColumnCut columns{.leaf_count = 4, .rows_per_leaf = {8, 8}, .blocks = 2, .group = &group};
    const RowCut rows{.leaf_count = 4, .group = &group};

    const Tensor h = linear(tape, x, input(Shape{64, 32}), {.cut = columns});
    const Tensor y = row_linear(tape, swiglu(tape, h), input(Shape{32, 32}), rows);
    const Tensor out = bias_residual(tape, y, input(Shape{32}), x, 1);
    tape.gradient_of<float>(out);
    tape.backward();

    EXPECT_EQ(group.total().bytes, 2 * 64 * 32 * 4);  // one all-reduce forward, one backward
    const double multiply_adds = 64 * 32 * 64 + 64 * 32 * 32;
    EXPECT_EQ(std::get<CountingContext>(context).total().model_flops, 3 * 2 * multiply_adds);
}

TEST(RowLinear, SaysWhichWeightItWants) {
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
    const Tensor x = tape.empty(Shape{4, 6}, DType::float32);
    const Tensor weight = tape.empty(Shape{4, 6}, DType::float32);

    EXPECT_THROW(row_linear(tape, x, weight, {.leaf_count = 4}), ShapeError);
    EXPECT_THROW(linear(tape, x, weight, {.cut = {.leaf_count = 2, .rows_per_leaf = {3}, .blocks = 1}}), ShapeError);
}

}  // namespace
}  // namespace loglog::testing
