#include "engine/kernels/linear_attention.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "tests/engine/kernels/compare.hpp"
#include "tests/engine/kernels/each_target.hpp"
#include "tests/engine/kernels/linear_attention_case.hpp"

namespace loglog {
namespace {

double rms(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) { sum += value * value; }
    return values.empty() ? 0 : std::sqrt(sum / static_cast<double>(values.size()));
}

double largest_of(const std::vector<double>& values) {
    double largest = 0;
    for (const double value : values) { largest = std::fmax(largest, std::abs(value)); }
    return largest;
}

template <class T>
void expect_within(const std::vector<T>& actual, const std::vector<double>& expected, double tolerance,
                   const std::string& what) {
    ASSERT_EQ(actual.size(), expected.size());
    double worst = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) {
        const double error = std::abs(actual[i] - expected[i]);
        if (!(error <= worst)) {
            worst = error;
            at = i;
        }
    }
    EXPECT_LE(worst, tolerance) << what << "[" << at << "]";
}

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

std::vector<double> quadratic_out(const LinearAttentionCase<double>& c) {
    std::vector<double> out(c.out.size());
    for (std::size_t h = 0; h < c.sizes.heads; ++h) {
        const auto head = quadratic_form(PlainHead{c, 0, h});
        for (std::size_t t = 0; t < c.sizes.time; ++t) {
            for (std::size_t e = 0; e < c.sizes.value_dim; ++e) {
                out[t * c.width() + h * c.sizes.value_dim + e] = head[t * c.sizes.value_dim + e];
            }
        }
    }
    return out;
}

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

TEST(LinearAttention, ShowsANotANumberInAKeyOnlyToTheTokensThatSeeIt) {
    for_each_target([] {
        LinearAttentionCase<float> c{{1, 70, 1, 1, 16, 16, 64}, decaying()};
        c.qkv[60 * c.row + 16 + 3] = std::numeric_limits<float>::quiet_NaN();
        CpuContext cpu;

        run(cpu, c.forward());

        for (std::size_t i = 0; i < 70; ++i) { EXPECT_EQ(std::isnan(c.out[i * 16]), i >= 60) << "token " << i; }
    });
}

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

// A worked example in closed form: 8 tokens, keys of 4 and values of 3 channels, one head.
template <class T>
LinearAttentionCase<T> worked_example(const LinearVariant& variant, std::size_t chunk) {
    LinearAttentionCase<T> c{{1, 8, 1, 1, 4, 3, chunk}, variant};
    for (std::size_t t = 0; t < 8; ++t) {
        const double time = static_cast<double>(t);
        T* row = c.qkv.data() + t * c.row;
        for (std::size_t i = 0; i < 4; ++i) {
            const double index = static_cast<double>(i);
            row[i] = static_cast<T>(std::sin(1 + 0.9 * time + 1.7 * index));
            row[4 + i] = static_cast<T>(std::cos(0.5 + 1.1 * time - 0.6 * index));
            if (i == 3) { continue; }
            row[8 + i] = static_cast<T>(std::sin(0.3 + 0.4 * time + 2.3 * index));
            c.d_out[t * 3 + i] = static_cast<T>(std::cos(0.2 + 0.7 * time + 1.9 * index));
        }
        if (variant.decays) { c.g[t] = static_cast<T>(-0.05 * static_cast<double>(1 + 3 * t % 4)); }
    }
    if (variant.constant_decays) { c.g[0] = static_cast<T>(std::log(31.0 / 32)); }
    return c;
}

/// What the example gives.
struct WorkedNumbers {
    const char* name;
    LinearVariant variant;
    double loss, out_squares, out[3];
    double dq_squares = 0, dk_squares = 0, dv_squares = 0, dq, dk, dv;  // where known
};

const WorkedNumbers worked_numbers[] = {
    {"elu + 1",
     {.map = FeatureMap::elu_plus_one, .normalized = true},
     -3.972918185464,
     6.955064351777,
     {0.542561437339, -0.431966727765, 0.033056708062},
     0.003760839567,
     0.096488098938,
     3.108067274348,
     -0.009860408720,
     0.048351354347,
     0.541966313566},
    {"relu, not normalized",
     {.map = FeatureMap::relu},
     -9.777779794243,
     33.807923055948,
     {1.864369519425, -1.606242519094, 0.276032230240},
     30.318952412667,
     43.542223716622,
     23.322765000652,
     -0.722777649527,
     1.154233430082,
     -0.377511564380},
    {"retention",
     {.scale = 0.5, .constant_decays = true},
     -2.567337352998,
     3.039447260642,
     {0.070370396575, -0.267919838574, 0.286646731559},
     0,
     0,
     0,
     0,
     0,
     0},
    {"ssd",
     {.scale = 0.5, .decays = true},
     -2.177751080300,
     2.523976501868,
     {0.137194136251, -0.148099614788, 0.060156307938},
     5.925292205783,
     22.715685401180,
     8.569051661086,
     -0.501212695603,
     0.868889484961,
     0.265353278364},
};

template <class T>
double squares(const std::vector<T>& values, std::size_t stride, std::size_t first, std::size_t count) {
    double sum = 0;
    for (std::size_t row = 0; row < values.size(); row += stride) {
        for (std::size_t i = row + first; i < row + first + count; ++i) { sum += values[i] * values[i]; }
    }
    return sum;
}

// Double: the numbers have 12 digits. Float: they are sums of at most 32 terms, each a sum of some 30 products, so that
// some 60 roundings add up, of half an epsilon of up to the sum of the terms' sizes, here at most 4 times the result.
template <class T>
void expect_worked_numbers(const WorkedNumbers& e, std::size_t chunk) {
    SCOPED_TRACE(std::string{e.name} + " in chunks of " + std::to_string(chunk));
    auto c = worked_example<T>(e.variant, chunk);
    CpuContext cpu;

    run(cpu, c.forward());
    run(cpu, c.backward());

    const auto near = [](double actual, double expected) {
        const double tolerance = sizeof(T) == sizeof(double)
                                     ? 1e-10
                                     : 120 * std::numeric_limits<float>::epsilon() * std::fmax(1, std::abs(expected));
        EXPECT_NEAR(actual, expected, tolerance);
    };
    near(dot_product(c.out, c.d_out), e.loss);
    near(squares(c.out, 3, 0, 3), e.out_squares);
    for (std::size_t i = 0; i < 3; ++i) { near(c.out[21 + i], e.out[i]); }
    if (e.dq_squares == 0) { return; }
    near(squares(c.d_qkv, 11, 0, 4), e.dq_squares);
    near(squares(c.d_qkv, 11, 4, 4), e.dk_squares);
    near(squares(c.d_qkv, 11, 8, 3), e.dv_squares);
    near(c.d_qkv[7 * 11], e.dq);
    near(c.d_qkv[4], e.dk);
    near(c.d_qkv[8], e.dv);
    if (e.variant.decays) {
        near(squares(c.dg, 1, 0, 1), 7.000871473363);
        near(c.dg[3], -1.580490658386);
    }
}

TEST(LinearAttention, ReproducesTheWorkedExampleInChunksOfAnySize) {
    for_each_target([] {
        for (const WorkedNumbers& numbers : worked_numbers) {
            for (const std::size_t chunk : {1u, 2u, 3u, 8u}) {
                expect_worked_numbers<double>(numbers, chunk);
                expect_worked_numbers<float>(numbers, chunk);
            }
        }
    });
}

TEST(LinearAttention, AgreesToFewRoundingsInAllFormsOfTheWorkedExample) {
    for (const WorkedNumbers& numbers : worked_numbers) {
        for (const std::size_t chunk : {1u, 2u, 3u, 8u}) {
            auto c = worked_example<double>(numbers.variant, chunk);
            const auto quadratic = quadratic_out(c);
            const LinearAttentionReference recurrent{c};
            CpuContext cpu;

            run(cpu, c.forward());

            expect_within(c.out, quadratic, 1e-13, "chunked");
            expect_within(recurrent.out, quadratic, 1e-13, "recurrent");
        }
    }
}

TEST(LinearAttention, StepsLeaveTheWorkedExamplesLastState) {
    auto c = worked_example<double>({.scale = 0.5, .decays = true}, 8);
    std::vector<double> state(12);
    CpuContext cpu;
    for (std::size_t t = 0; t < 8; ++t) {
        auto in = c.inputs();
        in.sizes.time = 1;
        in.q.data += t * c.row;
        in.k.data += t * c.row;
        in.v.data += t * c.row;
        in.g.values += t;

        run(cpu, LinearAttentionStep<double>{in, {c.out.data() + t * 3, 3}, state, {}});
    }

    EXPECT_NEAR(state[0], 0.091464529487, 1e-10);
    EXPECT_NEAR(state[1], -0.585250029608, 1e-10);
    EXPECT_NEAR(state[2], 0.688411592875, 1e-10);
    EXPECT_NEAR(squares(state, 1, 0, 1), 3.194887963165, 1e-10);
    EXPECT_NEAR(c.out[21], 0.137194136251, 1e-10);
}

}  // namespace
}  // namespace loglog
