#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "engine/parallel/counting_group.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/vocab_case.hpp"

namespace loglog::testing {
namespace {

class VocabCutOverLeaves : public ::testing::TestWithParam<std::int64_t> {};
INSTANTIATE_TEST_SUITE_P(Leaves, VocabCutOverLeaves, ::testing::Values(1, 2, 4, 8));

TEST_P(VocabCutOverLeaves, GivesTheSineExampleItsKnownResults) {
    const VocabSpread spread{.vocab = 8, .leaves = GetParam()};

    const auto result = run_head(sine_case(), spread);

    expect_sine_results(result, spread);
    const auto mean = std::accumulate(result.losses.begin(), result.losses.end(), 0.0) / 4;
    const auto squares = [](double sum, double x) { return sum + x * x; };
    const double mean_square = std::accumulate(result.log_z.begin(), result.log_z.end(), 0.0, squares) / 4;
    EXPECT_NEAR(mean, 3.622999626532, 1e-12);
    EXPECT_NEAR(mean + 1e-4 * mean_square, 3.624525102886, 1e-12);
    const auto& gradient = result.d_table;  // [token, row]
    EXPECT_NEAR(gradient[0 * 4 + 0], .005051133809, 1e-12);
    EXPECT_NEAR(gradient[1 * 4 + 0], -.176797116303, 1e-12);
    EXPECT_NEAR(gradient[7 * 4 + 3], -.248021514524, 1e-12);
    EXPECT_NEAR(std::accumulate(gradient.begin(), gradient.end(), 0.0, squares), .254700366108, 1e-12);
}

TEST_P(VocabCutOverLeaves, HeadGradientsMatchCentralDifferencesWithPadding) {
    const VocabSpread spread{.vocab = 19, .leaves = GetParam()};
    const auto c = random_head_case<double>(6, 5, 19);
    const std::vector<std::int32_t> targets{18, -1, 0, 7, 12, 9};
    Leaves leaves{21};
    const Tensor h = leaves.add(Shape{6, 5});
    const Tensor table = leaves.add(Shape{spread.padded(), 5});
    const auto add_loss = [&](Tape& tape, double z_loss) {
        const auto loss =
            head_loss(tape, h, table, targets,
                      {.logit_scale = 0.8, .z_loss = z_loss, .gradient_scale = 1.0 / 6, .cut = spread.cut()});
        double sum = 0;
        for (std::size_t i = 0; i < targets.size(); ++i) {
            const double log_z = loss.log_z.values<double>()[i];
            sum += loss.token_losses.values<double>()[i] + z_loss * log_z * log_z;
        }
        return sum / 6;
    };

    // Twice, so that gradients are also added to what is there.
    check_leaves(
        leaves,
        [&](Tape& tape, Ask) {
            leaves.forget_gradients();
            const double first = add_loss(tape, 0);
            return first + add_loss(tape, 0.05);
        },
        [](std::size_t leaf, const GradientReport& report) {
            EXPECT_TRUE(report.agrees) << "leaf " << leaf << " " << report.worst;
        });
}

TEST_P(VocabCutOverLeaves, EmbeddingGradientMatchesCentralDifferencesWithPadding) {
    const VocabSpread spread{.vocab = 19, .leaves = GetParam()};
    const std::vector<std::int32_t> tokens{0, 18, 3, 3, 18, 11};
    Leaves leaves{22};
    const Tensor table = leaves.add(Shape{spread.padded(), 3});
    const Tensor positions = leaves.add(Shape{4, 3});

    check_op(
        leaves,
        [&](Tape& tape) {
            return embedding(tape, tokens, table, positions,
                             {.time = 3, .scale = 1.5, .first_position = 0, .cut = spread.cut()});
        },
        [](std::size_t leaf, const GradientReport& report) {
            EXPECT_TRUE(report.agrees) << "leaf " << leaf << " " << report.worst;
        });
}

// With E = epsilon: sums of exponentials and of `width` products in another order, and the gradients' of `rows` or
// `vocab` products of numbers of order 1, all far below this many roundings.
template <class T>
double tolerance(std::int64_t terms) {
    return 8 * std::sqrt(static_cast<double>(terms)) * std::numeric_limits<T>::epsilon();
}

template <class T>
void expect_cut_equals_uncut(std::int64_t rows, std::int64_t width, std::int64_t vocab, std::int64_t leaves) {
    SCOPED_TRACE(std::to_string(vocab) + " tokens in " + std::to_string(leaves) + " leaves");
    const auto c = random_head_case<T>(rows, width, vocab);
    const VocabSpread spread{.vocab = vocab, .leaves = leaves};

    const auto whole = run_head(c, {.vocab = vocab});
    const auto cut = run_head(c, spread, 2);

    EXPECT_TRUE(all_near(cut.losses, whole.losses, tolerance<T>(vocab)));
    EXPECT_TRUE(all_near(cut.log_z, whole.log_z, tolerance<T>(vocab)));
    EXPECT_TRUE(all_near(cut.d_h, whole.d_h, tolerance<T>(vocab)));
    EXPECT_TRUE(all_near(cut.d_table, local_rows_of(whole.d_table, spread, width), tolerance<T>(rows)));
}

TEST(VocabCut, EqualsTheUncutHeadUpToRounding) {
    for (const std::int64_t leaves : {2, 4, 8}) {
        expect_cut_equals_uncut<double>(11, 5, 19, leaves);
        expect_cut_equals_uncut<float>(11, 5, 19, leaves);
        expect_cut_equals_uncut<float>(130, 24, 1000, leaves);
    }
    ASSERT_LT(head_block_rows(17'000, sizeof(float)), 70);
    expect_cut_equals_uncut<float>(70, 4, 17'000, 8);
    expect_cut_equals_uncut<float>(3, 4, 1, 4);  // three leaves have no token at all
}

TEST(VocabCut, GivesTheSameBitsForAnyNumberOfThreads) {
    const auto c = random_head_case<float>(130, 24, 1000);
    const VocabSpread spread{.vocab = 1000, .leaves = 8};

    const auto one = run_head(c, spread, 1);
    const auto three = run_head(c, spread, 3);

    EXPECT_TRUE(same_bits(three.losses, one.losses));
    EXPECT_TRUE(same_bits(three.d_h, one.d_h));
    EXPECT_TRUE(same_bits(three.d_table, one.d_table));
}

TEST(VocabCut, GivesTheSameLossesWhenEvaluating) {
    const auto c = random_head_case<float>(40, 8, 19);
    const VocabSpread spread{.vocab = 19, .leaves = 4};

    const auto training = run_head(c, spread);
    const auto evaluating = run_head(c, spread, 1, Mode::evaluate);

    EXPECT_TRUE(same_bits(evaluating.losses, training.losses));
    EXPECT_TRUE(same_bits(evaluating.log_z, training.log_z));
}

TEST(VocabCut, StaysFiniteForLargeLogits) {
    HeadCase<float> c{.width = 1, .h = {1e4F, -1e4F}, .table = {1, 0.5F, -1, 0, 0.25F}, .targets = {1, 0}};

    const auto result = run_head(c, {.vocab = 5, .leaves = 4});

    EXPECT_FLOAT_EQ(result.losses[0], 5000);
    EXPECT_FLOAT_EQ(result.losses[1], 20'000);
    EXPECT_FLOAT_EQ(result.log_z[0], 10'000);
    EXPECT_FLOAT_EQ(result.d_h[0], 0.5F * (1 - 0.5F));
    for (const float gradient : result.d_table) { EXPECT_TRUE(std::isfinite(gradient)); }
}

TEST(VocabCut, GivesEqualLogitsTheUniformLoss) {
    const HeadCase<double> c{.width = 2, .h = {1, 2, 3, 4}, .table = std::vector<double>(38), .targets = {0, 18}};

    for (const std::int64_t leaves : {2, 4, 8}) {
        const auto result = run_head(c, {.vocab = 19, .leaves = leaves});

        EXPECT_DOUBLE_EQ(result.losses[0], std::log(19.0));
        EXPECT_DOUBLE_EQ(result.log_z[1], std::log(19.0));
        EXPECT_DOUBLE_EQ(result.d_table[2 * 5], 0.5 * (1.0 + 3.0) / 19);
    }
}

TEST(VocabCut, GivesIgnoredTargetsNoLossAndNoGradient) {
    auto c = random_head_case<float>(3, 4, 19);
    c.targets = {4, -1, 5};
    c.h[5] = std::numeric_limits<float>::quiet_NaN();

    const auto result = run_head(c, {.vocab = 19, .leaves = 8});

    EXPECT_EQ(result.losses[1], 0);
    EXPECT_EQ(result.log_z[1], 0);
    for (std::size_t i = 4; i < 8; ++i) { EXPECT_EQ(result.d_h[i], 0); }
    EXPECT_GT(result.losses[0], 0);
}

TEST(VocabCut, ShowsABrokenLogitOfAnyLeafInTheLoss) {
    for (const std::size_t token : {0u, 7u, 18u}) {
        for (const float broken : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
            auto c = random_head_case<float>(1, 1, 19);
            c.h = {1};
            c.targets = {3};
            c.table[token] = broken;

            EXPECT_FALSE(std::isfinite(run_head(c, {.vocab = 19, .leaves = 8}).losses[0])) << broken << " at " << token;
        }
    }
}

TEST(VocabCut, LooksUpTheSameBitsInATableOfSeveralLeaves) {
    const auto c = random_embedding_case<float>(12, 6, 37, 19, true);
    const VocabSpread spread{.vocab = 19, .leaves = 8};

    const auto whole = run_embedding(c, {.vocab = 19});
    const auto cut = run_embedding(c, spread);

    EXPECT_TRUE(same_bits(cut.y, whole.y));
    EXPECT_TRUE(same_bits(cut.d_table, local_rows_of(whole.d_table, spread, 37)));
    EXPECT_TRUE(same_bits(cut.d_positions, whole.d_positions));
}

TEST(VocabCut, CountsWorkAndTrafficWithoutTouchingMemory) {
    constexpr std::int64_t rows = 70, width = 4, vocab = 17'000;
    Context context{CountingContext{}};
    Arena arena{Backing::address_space};
    Tape tape{context, arena, Mode::train};
    CountingGroup group{1, 4};
    const VocabSpread spread{.vocab = vocab, .leaves = 8, .group = &group};
    const Tensor h = tape.empty(Shape{rows, width}, DType::float32);
    const Tensor table = tape.empty(Shape{spread.cut().local_rows(), width}, DType::float32);
    const std::vector<std::int32_t> targets(rows);

    head_loss(tape, h, table, targets, {.cut = spread.cut()});

    const double products = 3.0 * 2 * rows * width * static_cast<double>(spread.cut().local_rows());
    EXPECT_DOUBLE_EQ(std::get<CountingContext>(context).total().model_flops, products);
    EXPECT_DOUBLE_EQ(group.total().bytes, 2 * 0.75 * 4 * (3 * rows + rows * width));
    EXPECT_DOUBLE_EQ(group.total().messages, 2 * 3 * (2 * 2 + 1));  // two blocks of rows

    auto options = spread.cut();
    options.scatter_rows = true;
    const std::vector<std::int32_t> tokens(72);
    embedding(tape, tokens, table, Tensor{}, {.time = 36, .cut = options});
    const double before = group.total().bytes;
    tape.backward();
    EXPECT_DOUBLE_EQ(group.total().bytes - before, 0.75 * 4 * 72 * width);
}

TEST(VocabCut, RejectsWrongSizes) {
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::evaluate};
    const VocabSpread spread{.vocab = 19, .leaves = 4};
    const Tensor h = tape.saved(Shape{1, 4}, DType::float32);
    const Tensor table = tape.saved(Shape{20, 4}, DType::float32);
    const Tensor small = tape.saved(Shape{19, 4}, DType::float32);
    const std::vector<std::int32_t> padding{19};
    const std::vector<std::int32_t> good{18};

    EXPECT_THROW(head_loss(tape, h, table, padding, {.cut = spread.cut()}), InputError);
    EXPECT_THROW(embedding(tape, padding, table, Tensor{}, {.time = 1, .cut = spread.cut()}), InputError);
    EXPECT_THROW(head_loss(tape, h, small, good, {.cut = spread.cut()}), ShapeError);
    EXPECT_THROW(embedding(tape, good, small, Tensor{}, {.time = 1, .cut = spread.cut()}), ShapeError);
    CountingGroup group{0, 2};
    VocabSpread halves{.vocab = 40, .leaves = 2, .group = &group, .sequence_parallel = true};
    EXPECT_THROW(embedding(tape, good, table, Tensor{}, {.time = 1, .cut = halves.cut()}), ShapeError);
}

}  // namespace
}  // namespace loglog::testing
