#include "engine/kernels/attention.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/engine/kernels/attention_case.hpp"
#include "tests/engine/kernels/each_target.hpp"

namespace loglog {
namespace {

template <class T>
void expect_close(const std::vector<T>& actual, const std::vector<double>& expected, double tolerance,
                  const char* what) {
    ASSERT_EQ(actual.size(), expected.size());
    std::size_t worst = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) {
        const double error = std::abs(actual[i] - expected[i]);
        if (!(error <= std::abs(actual[worst] - expected[worst]))) { worst = i; }
    }
    if (actual.empty()) { return; }
    EXPECT_LE(std::abs(actual[worst] - expected[worst]), tolerance)
        << what << "[" << worst << "] is " << actual[worst] << " but must be " << expected[worst];
}

double largest_of(const std::vector<double>& values) {
    double largest = 0;
    for (const double value : values) { largest = std::fmax(largest, std::abs(value)); }
    return largest;
}

// A score is 1 / sqrt(head_dim) times a sum of head_dim products of order one, whose partial sums reach sqrt(head_dim):
// its rounding errors add up to about epsilon sqrt(head_dim) / 3, 1.3 sqrt(head_dim) at 4 standard deviations, and a
// probability is off by as much, relatively. The gradient has three such factors. 16 for exp, sums and their division.
template <class T>
double relative_tolerance(const AttentionCase<T>& c) {
    return std::numeric_limits<T>::epsilon() * (16 + 4 * std::sqrt(static_cast<double>(c.sizes.head_dim)));
}

template <class T>
void expect_matches_reference(const AttentionSizes& sizes, float probability, int threads) {
    AttentionCase<T> c{sizes, 3 + sizes.time};
    c.dropout.probability = probability;
    c.dropout.key = {1, 2};
    c.dropout.first_sequence = 5;
    const AttentionReference expected{c};
    CpuContext cpu{threads};

    run(cpu, c.forward());
    run(cpu, c.backward());

    const double tolerance = relative_tolerance(c);
    expect_close(c.lse, expected.lse, tolerance * largest_of(expected.lse), "lse");
    expect_close(c.out, expected.out, tolerance * largest_of(expected.out), "out");
    expect_close(c.d_qkv, expected.d_qkv, tolerance * largest_of(expected.d_qkv), "d_qkv");
}

class AttentionOfSize : public ::testing::TestWithParam<AttentionSizes> {};

TEST_P(AttentionOfSize, EqualsItsDefinitionInFloat) {
    for_each_target([] { expect_matches_reference<float>(GetParam(), 0, 1); });
}
TEST_P(AttentionOfSize, EqualsItsDefinitionInDouble) {
    for_each_target([] { expect_matches_reference<double>(GetParam(), 0, 1); });
}
TEST_P(AttentionOfSize, EqualsItsDefinitionWithDropout) {
    for_each_target([] { expect_matches_reference<float>(GetParam(), 0.25f, 2); });
}

INSTANTIATE_TEST_SUITE_P(Sizes, AttentionOfSize,
                         ::testing::Values(AttentionSizes{1, 1, 1, 1, 4}, AttentionSizes{2, 2, 2, 1, 20},
                                           AttentionSizes{1, 17, 3, 3, 32}, AttentionSizes{1, 48, 1, 1, 3},
                                           AttentionSizes{2, 64, 2, 2, 64}, AttentionSizes{1, 65, 4, 2, 80},
                                           AttentionSizes{1, 256, 2, 2, 32}, AttentionSizes{1, 300, 1, 1, 64},
                                           AttentionSizes{1, 100, 2, 1, 128}, AttentionSizes{1, 70, 1, 1, 256},
                                           AttentionSizes{0, 5, 1, 1, 8}, AttentionSizes{1, 1100, 1, 1, 16}));

TEST(Attention, IsBitwiseEqualForAnyNumberOfThreads) {
    const AttentionSizes sizes{2, 200, 4, 2, 32};
    AttentionCase<float> one{sizes}, three{sizes};
    CpuContext cpu1{1}, cpu3{3};

    run(cpu1, one.forward());
    run(cpu1, one.backward());
    run(cpu3, three.forward());
    run(cpu3, three.backward());

    EXPECT_EQ(one.out, three.out);
    EXPECT_EQ(one.lse, three.lse);
    EXPECT_EQ(one.d_qkv, three.d_qkv);
}

TEST(Attention, IsBitwiseEqualWhenFewLongHeadsAreCutForMoreThreads) {
    for (const float probability : {0.0f, 0.1f}) {
        const AttentionSizes sizes{1, 1000, 2, 1, 20};
        AttentionCase<float> one{sizes}, four{sizes};
        one.dropout.probability = four.dropout.probability = probability;
        CpuContext cpu1{1}, cpu4{4};

        run(cpu1, one.forward());
        run(cpu1, one.backward());
        run(cpu4, four.forward());
        run(cpu4, four.backward());

        EXPECT_EQ(one.out, four.out);
        EXPECT_EQ(one.d_qkv, four.d_qkv);
    }
}

TEST(Attention, KeepsLargeScoresFinite) {
    AttentionCase<float> c{{1, 130, 1, 1, 64}};
    for (float& x : c.qkv) { x *= 40; }
    const AttentionReference expected{c};
    CpuContext cpu;

    run(cpu, c.forward());
    run(cpu, c.backward());

    // Scores reach 6e3, so their rounding error, and with it a probability's relative error, reaches 6e3 * 2^-24 * 8.
    expect_close(c.out, expected.out, 3e-3 * largest_of(expected.out), "out");
    expect_close(c.d_qkv, expected.d_qkv, 6e-3 * largest_of(expected.d_qkv), "d_qkv");
}

TEST(Attention, ShowsANotANumberInTheRowsThatSeeIt) {
    for_each_target([] {
        AttentionCase<float> c{{1, 70, 1, 1, 16}};
        c.qkv[60 * c.row + 16 + 3] = std::numeric_limits<float>::quiet_NaN();  // key 60
        CpuContext cpu;

        run(cpu, c.forward());

        for (std::size_t i = 0; i < 70; ++i) { EXPECT_EQ(std::isnan(c.out[i * 16]), i >= 60) << "query " << i; }
    });
}

TEST(Attention, DropsTheStatedShareOfProbabilitiesWhateverTheBatchIsCutInto) {
    AttentionCase<double> whole{{2, 64, 2, 2, 4}};
    whole.dropout = {.probability = 0.3f, .key = {3, 4}, .step = 7, .layer = 2, .first_sequence = 10, .first_head = 4};
    AttentionCase<double> second{{1, 64, 2, 2, 4}};
    second.dropout = whole.dropout;
    second.dropout.first_sequence = 11;
    std::copy(whole.qkv.begin() + 64 * static_cast<std::ptrdiff_t>(whole.row), whole.qkv.end(), second.qkv.begin());
    CpuContext cpu;

    run(cpu, whole.forward());
    run(cpu, second.forward());

    EXPECT_TRUE(std::equal(second.out.begin(), second.out.end(), whole.out.begin() + 64 * 8));
    const DropoutNumbers numbers = dropout_numbers(whole.dropout, 0);
    double kept = 0;
    for (std::size_t i = 0; i < 100; ++i) {
        for (std::size_t block = 0; block < 25; ++block) {
            for (const double factor : numbers.factors<double>(block, i, 0, 1.0)) { kept += factor; }
        }
    }
    EXPECT_NEAR(kept / 1e4, 0.7, 5 * std::sqrt(0.3 * 0.7 / 1e4));
}

TEST(Attention, GradientsMatchCentralDifferences) {
    AttentionCase<double> c{{1, 9, 2, 1, 4}};
    c.dropout = {.probability = 0.2f, .key = {5, 6}};
    CpuContext cpu;
    const auto loss = [&] {
        run(cpu, c.forward());
        double sum = 0;
        for (std::size_t i = 0; i < c.out.size(); ++i) { sum += c.out[i] * c.d_out[i]; }
        return sum;
    };
    loss();
    run(cpu, c.backward());
    constexpr double step = 6e-6;  // cbrt(epsilon): truncation and rounding errors are then both about 4e-11

    for (std::size_t i = 0; i < c.qkv.size(); ++i) {
        const double value = c.qkv[i];
        c.qkv[i] = value + step;
        const double above = loss();
        c.qkv[i] = value - step;
        const double below = loss();
        c.qkv[i] = value;
        EXPECT_NEAR(c.d_qkv[i], (above - below) / (2 * step), 1e-8) << "at " << i;
    }
}

TEST(AttentionDecode, EqualsTheLastRowOfTheForwardPass) {
    for_each_target([] {
        AttentionCase<double> c{{1, 21, 4, 2, 12}};
        CpuContext cpu;
        run(cpu, c.forward());
        std::vector<double> keys, values, out(c.width());
        for (std::size_t t = 0; t < 21; ++t) {
            const auto row = c.qkv.begin() + static_cast<std::ptrdiff_t>(t * c.row + c.width());
            keys.insert(keys.end(), row, row + static_cast<std::ptrdiff_t>(c.kv_width()));
            values.insert(values.end(), row + static_cast<std::ptrdiff_t>(c.kv_width()),
                          row + static_cast<std::ptrdiff_t>(2 * c.kv_width()));
        }

        run(cpu, AttentionDecode<double>{4, 2, 12, 21, std::span<const double>{c.qkv.data() + 20 * c.row, c.width()},
                                         keys, values, out, c.scale});

        for (std::size_t i = 0; i < out.size(); ++i) { EXPECT_NEAR(out[i], c.out[20 * c.width() + i], 1e-14); }
    });
}

TEST(AttentionCost, CountsTheCausalHalfAndTwiceThatBackward) {
    AttentionCase<float> c{{2, 10, 3, 1, 8}};

    const Cost forward = cost(c.forward());
    const Cost backward = cost(c.backward());

    EXPECT_EQ(forward.model_flops, 2 * 10 * 3.0 * (8 + 8) * (10 + 1));
    EXPECT_EQ(backward.model_flops, 2 * forward.model_flops);
    // Two rows of register blocks, one block each: 256 pairs a head instead of 55.
    EXPECT_EQ(forward.hardware_flops, 2 * 3 * 256 * (4 * 8.0 + 4));
    EXPECT_EQ(forward.bytes_read, 4 * (2 * 10 * 3 * 8 + 2 * 2 * 10 * 8.0));
}

}  // namespace
}  // namespace loglog
