#include "engine/kernels/linear_attention.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "tests/engine/kernels/compare.hpp"
#include "tests/engine/kernels/each_target.hpp"
#include "tests/engine/kernels/linear_attention_case.hpp"
#include "tests/engine/kernels/linear_attention_expect.hpp"

namespace loglog {
namespace {

LinearVariant elu_normalized() { return {.map = FeatureMap::elu_plus_one, .normalized = true}; }
LinearVariant relu_plain() { return {.map = FeatureMap::relu}; }
LinearVariant decaying() { return {.scale = 0.5, .decays = true}; }

/// A case and what it is called in failures.
struct SizedVariant {
    LinearAttentionSizes sizes;
    LinearVariant variant;
    std::size_t document_every = 0;  // tokens between document starts; 0: one document a sequence
};

template <class T>
LinearAttentionCase<T> case_of(const SizedVariant& v) {
    LinearAttentionCase<T> c{v.sizes, v.variant, 3 + v.sizes.time};
    for (std::size_t i = 0; v.document_every > 0 && i < c.tokens(); ++i) {
        const std::size_t t = i % v.sizes.time;
        c.document_start.push_back(static_cast<std::int32_t>(t - t % v.document_every));
    }
    return c;
}

class LinearAttentionOfKind : public ::testing::TestWithParam<SizedVariant> {};

// A result is a sum of at most time * dim products that passes through a state: its rounding errors add up like a
// random walk of that many steps of half an epsilon of the largest result, taken at 8 standard deviations, and a few
// epsilons for exponentials (2 ulp), decays (a product of at most chunk factors) and divisions.
template <class T>
void expect_matches_reference(const SizedVariant& v, int threads) {
    auto c = case_of<T>(v);
    const LinearAttentionReference expected{c};
    CpuContext cpu{threads};

    run(cpu, c.forward());
    run(cpu, c.backward());

    const auto& s = v.sizes;
    const double steps =
        static_cast<double>(std::min(s.time, std::size_t{4096}) + s.key_dim + s.value_dim + 4 * s.chunk);
    const double tolerance = std::numeric_limits<T>::epsilon() * (16 + 4 * std::sqrt(steps));
    expect_within(c.out, expected.out, tolerance * largest_of(expected.out), "out");
    expect_within(c.d_qkv, expected.d_qkv, tolerance * largest_of(expected.d_qkv), "d_qkv");
    expect_within(c.dg, expected.dg, tolerance * std::fmax(largest_of(expected.dg), largest_of(expected.d_qkv)), "dg");
}

TEST_P(LinearAttentionOfKind, EqualsItsRecurrenceInFloat) {
    for_each_target([] { expect_matches_reference<float>(GetParam(), 1); });
}
TEST_P(LinearAttentionOfKind, EqualsItsRecurrenceInDouble) {
    for_each_target([] { expect_matches_reference<double>(GetParam(), 2); });
}

LinearVariant constant_decays() { return {.scale = 0.25, .constant_decays = true}; }
LinearVariant everything() {
    return {.map = FeatureMap::elu_plus_one, .scale = 0.5, .decays = true, .normalized = true};
}
LinearVariant clamped() { return {.map = FeatureMap::relu, .normalized = true, .epsilon = 0.5, .clamp = true}; }

INSTANTIATE_TEST_SUITE_P(Kinds, LinearAttentionOfKind,
                         ::testing::Values(SizedVariant{{1, 1, 1, 1, 4, 3, 64}, decaying()},
                                           SizedVariant{{2, 7, 2, 1, 4, 3, 2}, decaying()},
                                           SizedVariant{{2, 17, 3, 3, 5, 9, 8}, everything(), 6},
                                           SizedVariant{{1, 64, 2, 2, 64, 64, 64}, elu_normalized()},
                                           SizedVariant{{2, 65, 4, 2, 32, 32, 64}, elu_normalized(), 13},
                                           SizedVariant{{1, 200, 2, 2, 64, 64, 64}, decaying()},
                                           SizedVariant{{1, 200, 2, 1, 64, 32, 64}, decaying(), 50},
                                           SizedVariant{{1, 150, 2, 2, 20, 80, 48}, constant_decays()},
                                           SizedVariant{{1, 150, 2, 2, 20, 80, 48}, constant_decays(), 64},
                                           SizedVariant{{1, 130, 1, 1, 128, 128, 64}, relu_plain()},
                                           SizedVariant{{1, 130, 1, 1, 16, 48, 37}, clamped()},
                                           SizedVariant{{1, 90, 1, 1, 8, 8, 1}, everything()},
                                           SizedVariant{{0, 5, 1, 1, 8, 8, 64}, decaying()},
                                           SizedVariant{{1, 300, 2, 2, 32, 64, 128}, everything(), 1}));

// 2e-5 of the outputs' root mean square: what float is expected to keep over 1024 tokens in chunks of 64.
TEST(LinearAttention, AgreesInQuadraticRecurrentAndChunkedFormAndInSteps) {
    for (const std::size_t time : {1024u, 1000u}) {
        for (const LinearVariant& variant : {elu_normalized(), decaying()}) {
            const LinearAttentionSizes sizes{1, time, 2, 1, 64, 64, 64};
            LinearAttentionCase<double> exact{sizes, variant};
            LinearAttentionCase<float> c{sizes, variant};
            // The same inputs in both types.
            std::copy(c.qkv.begin(), c.qkv.end(), exact.qkv.begin());
            std::copy(c.g.begin(), c.g.end(), exact.g.begin());
            const auto quadratic = quadratic_out(exact);
            const LinearAttentionReference recurrent{exact};
            CpuContext cpu{2};

            run(cpu, c.forward());
            run(cpu, exact.forward());

            expect_within(recurrent.out, quadratic, 1e-12 * rms(quadratic), "recurrent");
            expect_within(exact.out, quadratic, 1e-12 * rms(quadratic), "chunked, double");
            expect_within(c.out, quadratic, 2e-5 * rms(quadratic), "chunked, float");
        }
    }
}

TEST(LinearAttention, StepsEqualTheRecurrence) {
    for_each_target([] {
        for (const LinearVariant& variant : {elu_normalized(), decaying(), clamped(), relu_plain()}) {
            LinearAttentionCase<double> c{{1, 19, 4, 2, 12, 5, 8}, variant};
            const LinearAttentionReference expected{c};
            const auto& s = c.sizes;
            std::vector<double> state(s.heads * s.key_dim * s.value_dim), sums(s.heads * s.key_dim);
            CpuContext cpu;

            for (std::size_t t = 0; t < s.time; ++t) {
                auto in = c.inputs();
                in.sizes.time = 1;
                in.q.data += t * c.row;
                in.k.data += t * c.row;
                in.v.data += t * c.row;
                if (!c.g.empty()) { in.g.values += t * s.heads; }
                run(cpu, LinearAttentionStep<double>{in,
                                                     {c.out.data() + t * c.width(), c.width()},
                                                     state,
                                                     variant.normalized ? std::span{sums} : std::span<double>{},
                                                     variant.epsilon,
                                                     variant.clamp});
            }

            expect_within(c.out, expected.out, 1e-14 * largest_of(expected.out), "out");
        }
    });
}

TEST(LinearAttention, IsBitwiseEqualForAnyNumberOfThreads) {
    for (const LinearVariant& variant : {elu_normalized(), decaying()}) {
        const LinearAttentionSizes sizes{2, 200, 4, 2, 64, 32, 64};
        LinearAttentionCase<float> one{sizes, variant};
        CpuContext cpu1{1};
        run(cpu1, one.forward());
        run(cpu1, one.backward());
        for (const int threads : {2, 3}) {
            LinearAttentionCase<float> many{sizes, variant};
            CpuContext cpu{threads};

            run(cpu, many.forward());
            run(cpu, many.backward());

            EXPECT_EQ(one.out, many.out);
            EXPECT_EQ(one.d_qkv, many.d_qkv);
            EXPECT_EQ(one.dg, many.dg);
        }
    }
}

// The part of a case's rows that tokens [first, first + count) have.
template <class T>
std::vector<T> rows_of(const std::vector<T>& values, std::size_t width, std::size_t first, std::size_t count) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first * width);
    return {begin, begin + static_cast<std::ptrdiff_t>(count * width)};
}

TEST(LinearAttention, GivesPackedDocumentsWhatEachGivesAlone) {
    for (const LinearVariant& variant : {elu_normalized(), decaying()}) {
        LinearAttentionCase<double> packed{{1, 100, 2, 2, 8, 6, 16}, variant};
        for (std::int32_t t = 0; t < 100; ++t) { packed.document_start.push_back(t < 37 ? 0 : 37); }
        CpuContext cpu;
        run(cpu, packed.forward());
        run(cpu, packed.backward());

        for (const auto& [first, count] : {std::pair{0u, 37u}, std::pair{37u, 63u}}) {
            LinearAttentionCase<double> alone{{1, count, 2, 2, 8, 6, 16}, variant};
            alone.qkv = rows_of(packed.qkv, packed.row, first, count);
            alone.d_out = rows_of(packed.d_out, packed.width(), first, count);
            if (!packed.g.empty()) { alone.g = rows_of(packed.g, 2, first, count); }
            run(cpu, alone.forward());
            run(cpu, alone.backward());

            // Other chunks: sums of 100 products in another order.
            expect_within(rows_of(packed.out, packed.width(), first, count), alone.out, 1e-13, "out");
            expect_within(rows_of(packed.d_qkv, packed.row, first, count), alone.d_qkv, 1e-12, "d_qkv");
            if (!packed.g.empty()) { expect_within(rows_of(packed.dg, 2, first, count), alone.dg, 1e-12, "dg"); }
        }
    }
}

TEST(LinearAttention, GradientsMatchCentralDifferencesWithResetsAndExtremeDecays) {
    for (const LinearVariant& variant : {elu_normalized(), decaying(), everything(), clamped(), relu_plain()}) {
        LinearAttentionCase<double> c{{1, 11, 2, 1, 4, 3, 4}, variant};
        for (std::int32_t t = 0; t < 11; ++t) { c.document_start.push_back(t < 6 ? 0 : t < 7 ? 6 : 7); }
        if (variant.decays) {
            c.g[2 * 2] = -30;
            c.g[2 * 3 + 1] = 0;
            c.g[2 * 9] = -30;
            c.g[2 * 9 + 1] = 0;
        }
        std::copy_n(c.qkv.begin() + 8, 4, c.qkv.begin() + 2 * static_cast<std::ptrdiff_t>(c.row) + 8);  // equal keys
        CpuContext cpu;
        const auto loss = [&] {
            run(cpu, c.forward());
            return dot_product(c.out, c.d_out);
        };
        loss();
        run(cpu, c.backward());

        expect_gradient(c.d_qkv, c.qkv, loss, "d_qkv");
        if (variant.decays) { expect_gradient(c.dg, c.g, loss, "dg"); }
    }
}

TEST(LinearAttention, GradientOfDecaysIsTheSumOfLaterQueryLessKeyGradients) {
    LinearAttentionCase<double> c{{1, 75, 2, 2, 16, 8, 16}, decaying()};
    CpuContext cpu;

    run(cpu, c.forward());
    run(cpu, c.backward());

    for (std::size_t h = 0; h < 2; ++h) {
        double sum = 0;
        for (std::size_t t = 75; t-- > 1;) {
            for (std::size_t i = 0; i < 16; ++i) {
                const std::size_t q = t * c.row + h * 16 + i;
                sum += c.qkv[q] * c.d_qkv[q] - c.qkv[q + 32] * c.d_qkv[q + 32];
            }
            EXPECT_NEAR(c.dg[t * 2 + h], sum, 1e-12) << "head " << h << ", token " << t;
        }
        EXPECT_EQ(c.dg[h], 0);  // nothing is there to decay
    }
}

TEST(LinearAttention, AddsToTheDecaysGradientWhereTold) {
    LinearAttentionCase<double> c{{1, 20, 1, 1, 4, 4, 8}, decaying()};
    CpuContext cpu;
    run(cpu, c.forward());
    run(cpu, c.backward());
    const auto once = c.dg;
    auto again = c.backward();
    again.accumulate_dg = true;

    run(cpu, again);

    for (std::size_t t = 0; t < 20; ++t) { EXPECT_EQ(c.dg[t], 2 * once[t]); }
}

TEST(LinearAttention, StaysFiniteWhenStatesVanish) {
    for_each_target([] {
        LinearAttentionCase<float> c{{1, 150, 1, 1, 16, 16, 64}, decaying()};
        for (std::size_t t = 0; t < 150; ++t) { c.g[t] = t % 3 == 0 ? -1e4f : -30.0f; }
        const LinearAttentionReference expected{c};
        CpuContext cpu;

        run(cpu, c.forward());
        run(cpu, c.backward());

        expect_within(c.out, expected.out, 1e-5, "out");
        expect_within(c.d_qkv, expected.d_qkv, 1e-4, "d_qkv");
        // Queries' and keys' parts, of up to 100, all but cancel over the chunk.
        expect_within(c.dg, expected.dg, 1e-3, "dg");
    });
}

class NotANumber : public ::testing::TestWithParam<LinearVariant> {};

TEST_P(NotANumber, IsShownOnlyToTheTokensThatSeeIt) {
    for_each_target([] {
        LinearAttentionCase<float> c{{1, 70, 1, 1, 16, 16, 64}, GetParam()};
        c.qkv[60 * c.row + 16 + 3] = std::numeric_limits<float>::quiet_NaN();
        CpuContext cpu;

        run(cpu, c.forward());

        for (std::size_t i = 0; i < 70; ++i) { EXPECT_EQ(std::isnan(c.out[i * 16]), i >= 60) << "token " << i; }
    });
}

INSTANTIATE_TEST_SUITE_P(InAKey, NotANumber, ::testing::Values(elu_normalized(), relu_plain(), decaying()));

TEST(LinearAttentionCost, CountsWhatTheFormStatesAndTwiceThatBackward) {
    LinearAttentionCase<float> elu{{2, 100, 3, 1, 8, 16, 32}, elu_normalized()};
    LinearAttentionCase<float> decay{{2, 100, 3, 1, 8, 16, 32}, decaying()};
    LinearAttentionCase<float> brief{{1, 10, 1, 1, 8, 16, 32}, decaying()};
    const double products = 4 * 8 * 16 + 33 * (8 + 16);

    EXPECT_EQ(cost(decay.forward()).model_flops, 200 * 3 * products);
    EXPECT_EQ(cost(elu.forward()).model_flops, 200 * 3 * (products + 4 * 8));
    EXPECT_EQ(cost(decay.backward()).model_flops, 2 * cost(decay.forward()).model_flops);
    EXPECT_EQ(cost(elu.backward()).model_flops, 2 * cost(elu.forward()).model_flops);
    EXPECT_EQ(cost(brief.forward()).model_flops, 10 * (4 * 8 * 16 + 11.0 * (8 + 16)));  // chunks of 10
    EXPECT_GT(cost(decay.backward()).hardware_flops, cost(decay.backward()).model_flops);
    EXPECT_EQ(cost(decay.forward()).bytes_written, 4 * 200 * 3 * 16.0);
}

}  // namespace
}  // namespace loglog
