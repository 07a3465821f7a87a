#include "engine/kernels/delta_attention.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "tests/engine/kernels/compare.hpp"
#include "tests/engine/kernels/delta_attention_case.hpp"
#include "tests/engine/kernels/each_target.hpp"

namespace loglog {
namespace {

double rms(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) { sum += value * value; }
    return std::sqrt(sum / static_cast<double>(values.size()));
}

template <class T>
void expect_close(const std::vector<T>& actual, const std::vector<double>& expected, double tolerance,
                  const char* what) {
    ASSERT_EQ(actual.size(), expected.size()) << what;
    for (std::size_t i = 0; i < actual.size(); ++i) {
        ASSERT_NEAR(static_cast<double>(actual[i]), expected[i], tolerance) << what << "[" << i << "]";
    }
}

template <class T>
double largest(const std::vector<T>& values) {
    double result = 0;
    for (const T value : values) { result = std::fmax(result, std::abs(static_cast<double>(value))); }
    return result;
}

template <class T>
void run_both(DeltaCase<T>& c, int threads = 1) {
    CpuContext cpu{threads};
    run(cpu, c.forward());
    run(cpu, c.backward());
}

// A result is a sum over key_dim channels and over the tokens that a state remembers; each rounds to epsilon, the
// errors add up as a random walk, 4 standard deviations out, and the gradient has three such factors in a row. beta up
// to 2 lets a state keep its size for ever, so all tokens count. 32 for exp, the unit lengths and their division.
template <class T>
double relative_tolerance(const DeltaCase<T>& c) {
    const auto steps = static_cast<double>(c.sizes.key_dim + c.sizes.time);
    return std::numeric_limits<T>::epsilon() * (32 + 12 * std::sqrt(steps));
}

template <class T>
void expect_matches_recurrence(DeltaCase<T> c) {
    const DeltaReference expected{c};

    run_both(c);

    const double tolerance = relative_tolerance(c);
    expect_close(c.out, expected.out, tolerance * largest(expected.out), "out");
    expect_close(c.final_state, expected.final_state, tolerance * largest(expected.final_state), "final_state");
    expect_close(c.d_qkv, expected.d_qkv, tolerance * largest(expected.d_qkv), "d_qkv");
    expect_close(c.d_beta, expected.d_beta, tolerance * largest(expected.d_beta), "d_beta");
    if (!c.g.empty()) { expect_close(c.d_g, expected.d_g, tolerance * largest(expected.d_g), "d_g"); }
}

class DeltaAttentionOfSize : public ::testing::TestWithParam<DeltaAttentionSizes> {};

TEST_P(DeltaAttentionOfSize, EqualsTheRecurrenceInFloat) {
    for_each_target([] { expect_matches_recurrence(DeltaCase<float>{GetParam()}); });
}
TEST_P(DeltaAttentionOfSize, EqualsTheRecurrenceInDouble) {
    for_each_target([] { expect_matches_recurrence(DeltaCase<double>{GetParam()}); });
}
TEST_P(DeltaAttentionOfSize, EqualsTheRecurrenceWithoutDecay) {
    for_each_target([] {
        DeltaCase<double> c{GetParam()};
        c.g.clear();
        c.d_g.clear();
        expect_matches_recurrence(c);
    });
}
TEST_P(DeltaAttentionOfSize, EqualsTheRecurrenceWhereDocumentsStart) {
    for_each_target([] {
        DeltaCase<double> c{GetParam()};
        c.start_documents({1, 2, 7, 16, 40, 64});
        expect_matches_recurrence(c);
    });
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, DeltaAttentionOfSize,
    ::testing::Values(DeltaAttentionSizes{1, 1, 1, 1, 4, 4, 64}, DeltaAttentionSizes{2, 9, 2, 1, 5, 3, 4},
                      DeltaAttentionSizes{1, 17, 3, 3, 20, 33, 1}, DeltaAttentionSizes{1, 48, 1, 1, 16, 16, 16},
                      DeltaAttentionSizes{2, 70, 4, 2, 32, 64, 25}, DeltaAttentionSizes{1, 130, 2, 2, 64, 64, 64},
                      DeltaAttentionSizes{1, 100, 2, 1, 80, 24, 48}, DeltaAttentionSizes{1, 150, 1, 1, 128, 96, 128},
                      DeltaAttentionSizes{0, 5, 1, 1, 8, 8, 4}, DeltaAttentionSizes{1, 50, 1, 1, 1, 1, 7}));

// A worked example in closed form: T = 8, dk = 4, dv = 3, one head.
template <class T>
DeltaCase<T> worked_example(std::size_t chunk, double beta_factor = 1) {
    DeltaCase<T> c{{1, 8, 1, 1, 4, 3, chunk}};
    c.scale = T(0.5);
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
        c.beta[t] = static_cast<T>(beta_factor / (1 + std::exp(-std::sin(1 + time))));
        c.g[t] = static_cast<T>(-0.05 * (1 + static_cast<double>(3 * t % 4)));
    }
    return c;
}

/// Sum of squares of columns [first, first + count) of rows of `stride`.
template <class T>
double squares(const std::vector<T>& values, std::size_t stride, std::size_t first, std::size_t count) {
    double sum = 0;
    for (std::size_t at = first; at < values.size(); at += stride) {
        for (std::size_t i = 0; i < count; ++i) {
            sum += static_cast<double>(values[at + i]) * static_cast<double>(values[at + i]);
        }
    }
    return sum;
}

struct WorkedNumbers {
    double loss, squares_of_out, out7[3], dq2, dk2, dv2, dg2, db2, dq70, dk00, dv00, dg3, db3;
};
constexpr WorkedNumbers deltanet{-0.712644486280,
                                 0.256161111532,
                                 {0.036871708823, 0.006472802750, -0.045497055349},
                                 0.630504161525,
                                 2.355575211074,
                                 0.717590950853,
                                 0,
                                 2.598937522231,
                                 -0.213900278034,
                                 0.041807802625,
                                 0.125401663726,
                                 0,
                                 -0.169454896530};
constexpr WorkedNumbers gated{-0.574909184005, 0.205913465914, {0.045795423496, 0.028797275852, -0.084169292252},
                              0.540873834906,  1.311621760482, 0.505168083000,
                              0.400844302724,  1.598492568199, -0.191435849456,
                              0.030925345317,  0.105205385667, -0.458204645250,
                              -0.129151029595};

template <class T>
void expect_numbers(DeltaCase<T> c, const WorkedNumbers& want, double tolerance) {
    run_both(c);

    EXPECT_NEAR(dot_product(c.out, c.d_out), want.loss, tolerance);
    EXPECT_NEAR(squares(c.out, 3, 0, 3), want.squares_of_out, tolerance);
    for (std::size_t i = 0; i < 3; ++i) { EXPECT_NEAR(c.out[21 + i], want.out7[i], tolerance); }
    EXPECT_NEAR(squares(c.d_qkv, c.row, 0, 4), want.dq2, tolerance);
    EXPECT_NEAR(squares(c.d_qkv, c.row, 4, 4), want.dk2, tolerance);
    EXPECT_NEAR(squares(c.d_qkv, c.row, 8, 3), want.dv2, tolerance);
    EXPECT_NEAR(squares(c.d_beta, 8, 0, 8), want.db2, tolerance);
    EXPECT_NEAR(c.d_qkv[7 * c.row], want.dq70, tolerance);
    EXPECT_NEAR(c.d_qkv[4], want.dk00, tolerance);
    EXPECT_NEAR(c.d_qkv[8], want.dv00, tolerance);
    EXPECT_NEAR(c.d_beta[3], want.db3, tolerance);
    if (c.d_g.empty()) { return; }
    EXPECT_NEAR(squares(c.d_g, 8, 0, 8), want.dg2, tolerance);
    EXPECT_NEAR(c.d_g[3], want.dg3, tolerance);
    EXPECT_NEAR(c.final_state[0], 0.178053152472, tolerance);
    EXPECT_NEAR(c.final_state[1], -0.314451220646, tolerance);
    EXPECT_NEAR(c.final_state[2], 0.240969463885, tolerance);
    EXPECT_NEAR(squares(c.final_state, 12, 0, 12), 1.689598489041, tolerance);
}

// The numbers have 12 digits after the point. In float, sums of up to 32 squares, of size up to 3, of values that are
// relative_tolerance off.
template <class T>
double worked_tolerance(const DeltaCase<T>& c) {
    return sizeof(T) == sizeof(double) ? 1e-10 : 2 * 3 * relative_tolerance(c);
}

template <class T>
void expect_worked_example(std::size_t chunk) {
    const auto c = worked_example<T>(chunk);
    expect_numbers(c, gated, worked_tolerance(c));
    auto no_decay = c;
    no_decay.g.clear();
    no_decay.d_g.clear();
    expect_numbers(no_decay, deltanet, worked_tolerance(c));
    auto doubled = worked_example<T>(chunk, 2);
    run_both(doubled);
    EXPECT_NEAR(dot_product(doubled.out, doubled.d_out), -1.309046431183, worked_tolerance(c));
}

TEST(DeltaAttention, GivesTheWorkedExamplesNumbersForEveryChunk) {
    for_each_target([] {
        for (const std::size_t chunk : {1u, 2u, 3u, 4u, 8u}) {
            SCOPED_TRACE(chunk);
            expect_worked_example<double>(chunk);
            expect_worked_example<float>(chunk);
        }
    });
}

TEST(DeltaAttention, ChunksAgreeWithTheRecurrenceOnTheWorkedExample) {
    for (const std::size_t chunk : {1u, 2u, 3u, 4u, 8u}) {
        auto c = worked_example<double>(chunk);
        const DeltaReference expected{c};

        run_both(c);

        expect_close(c.out, expected.out, 1e-13, "out");
        expect_close(c.final_state, expected.final_state, 1e-13, "final_state");
    }
}

TEST(DeltaAttention, LongSequencesAgreeWithTheRecurrenceInFloat) {
    for (const std::size_t time : {1024u, 1000u}) {
        DeltaCase<float> c{{1, time, 1, 1, 64, 64, 64}};
        for (float& beta : c.beta) { beta /= 2; }
        const DeltaReference expected{c};

        run_both(c);

        expect_close(c.out, expected.out, 2e-5 * rms(expected.out), "out");
    }
}

TEST(DeltaAttention, StepsEqualTheRecurrence) {
    for_each_target([] {
        DeltaCase<double> c{{1, 20, 4, 2, 5, 19, 8}};
        const DeltaReference expected{c};
        std::vector<double> state(4 * 5 * 19, 0.0), out(c.out.size());
        CpuContext cpu{2};

        for (std::size_t t = 0; t < 20; ++t) {
            const double* row = c.qkv.data() + t * c.row;
            run(cpu, DeltaAttentionStep<double>{4, 2, 5, 19, row, row + c.k_at(), row + c.v_at(),
                                                std::span{c.beta}.subspan(t * 4, 4), std::span{c.g}.subspan(t * 4, 4),
                                                state, out.data() + t * c.out_row(), c.scale});
        }

        expect_close(out, expected.out, 1e-13, "out");
        expect_close(state, expected.final_state, 1e-13, "state");
    });
}

// Resets inside and at the start of chunks, decays of nothing and of nearly everything, betas at both ends and keys
// that come twice.
DeltaCase<double> hard_case() {
    DeltaCase<double> c{{2, 13, 2, 1, 3, 4, 5}};
    c.start_documents({3, 5, 11});
    const auto gate = [&](std::size_t t, std::size_t h) { return t * 2 + h; };
    c.g[gate(1, 0)] = c.g[gate(7, 1)] = 0;
    c.g[gate(2, 0)] = c.g[gate(8, 1)] = c.g[gate(9, 0)] = -30;
    c.beta[gate(6, 0)] = c.beta[gate(12, 1)] = 0;
    c.beta[gate(7, 0)] = c.beta[gate(1, 1)] = 1;
    for (std::size_t i = 0; i < 3; ++i) {
        c.qkv[2 * c.row + c.k_at() + i] = c.qkv[1 * c.row + c.k_at() + i];
        c.qkv[9 * c.row + c.k_at() + i] = c.qkv[6 * c.row + c.k_at() + i];
    }
    return c;
}

TEST(DeltaAttention, GradientsMatchCentralDifferencesInHardCases) {
    for_each_target([] {
        auto c = hard_case();
        CpuContext cpu;
        const auto loss = [&] {
            run(cpu, c.forward());
            return dot_product(c.out, c.d_out);
        };
        run_both(c);
        const DeltaReference expected{c};

        expect_close(c.out, expected.out, 1e-13, "out");
        expect_gradient(c.d_qkv, c.qkv, loss, "d_qkv");
        expect_gradient(c.d_beta, c.beta, loss, "d_beta");
        expect_gradient(c.d_g, c.g, loss, "d_g");
    });
}

TEST(DeltaAttention, AddsToTheGradientsOfBetaAndDecaysWhenAsked) {
    auto fresh = hard_case();
    run_both(fresh);
    auto added = fresh;
    auto backward = added.backward();
    backward.accumulate_d_beta = backward.accumulate_d_g = true;
    CpuContext cpu;

    run(cpu, backward);

    for (std::size_t i = 0; i < fresh.beta.size(); ++i) {
        EXPECT_DOUBLE_EQ(added.d_beta[i], 2 * fresh.d_beta[i]);
        EXPECT_DOUBLE_EQ(added.d_g[i], 2 * fresh.d_g[i]);
    }
}

TEST(DeltaAttention, KeepsDigitsAfterTheChunkHasDecayedFar) {
    DeltaCase<float> c{{1, 64, 1, 1, 16, 16, 64}};
    for (std::size_t t = 0; t < 32; ++t) { c.g[t] = -60; }

    expect_matches_recurrence(c);
}

TEST(DeltaAttention, PackedDocumentsEqualEachAlone) {
    constexpr std::size_t first = 37, second = 60;
    DeltaCase<double> packed{{1, first + second, 2, 1, 16, 24, 16}},
        alone[] = {DeltaCase<double>{{1, first, 2, 1, 16, 24, 16}}, DeltaCase<double>{{1, second, 2, 1, 16, 24, 16}}};
    packed.start_documents({0, first});
    run_both(packed);
    const auto part = [&](const std::vector<double>& of, std::size_t document) {
        const auto stride = static_cast<std::ptrdiff_t>(of.size() / (first + second));
        const auto middle = of.begin() + stride * static_cast<std::ptrdiff_t>(first);
        return document == 0 ? std::vector<double>(of.begin(), middle) : std::vector<double>(middle, of.end());
    };

    for (std::size_t document = 0; document < 2; ++document) {
        auto& c = alone[document];
        c.qkv = part(packed.qkv, document);
        c.beta = part(packed.beta, document);
        c.g = part(packed.g, document);
        c.d_out = part(packed.d_out, document);
        run_both(c);
        expect_close(part(packed.out, document), c.out, 1e-12, "out");
        expect_close(part(packed.d_qkv, document), c.d_qkv, 1e-12, "d_qkv");
        expect_close(part(packed.d_beta, document), c.d_beta, 1e-12, "d_beta");
        expect_close(part(packed.d_g, document), c.d_g, 1e-12, "d_g");
    }
    expect_close(packed.final_state, alone[1].final_state, 1e-12, "final_state");
}

TEST(DeltaAttention, ANotANumberIsGoneWhereADocumentStartsWithAChunk) {
    DeltaCase<float> c{{1, 60, 1, 1, 16, 16, 16}};
    c.start_documents({48});
    c.qkv[20 * c.row + c.v_at() + 3] = std::numeric_limits<float>::quiet_NaN();
    CpuContext cpu;

    run(cpu, c.forward());

    for (std::size_t t = 0; t < 16; ++t) { EXPECT_FALSE(std::isnan(c.out[t * 16 + 3])) << t; }
    for (std::size_t t = 20; t < 48; ++t) { EXPECT_TRUE(std::isnan(c.out[t * 16 + 3])) << t; }
    for (std::size_t t = 48; t < 60; ++t) { EXPECT_FALSE(std::isnan(c.out[t * 16 + 3])) << t; }
}

TEST(DeltaAttention, IsBitwiseEqualForAnyNumberOfThreads) {
    DeltaCase<float> one{{2, 150, 4, 2, 32, 48, 64}};
    auto two = one, three = one;

    run_both(one, 1);
    run_both(two, 2);
    run_both(three, 3);

    for (const auto* other : {&two, &three}) {
        EXPECT_EQ(one.out, other->out);
        EXPECT_EQ(one.d_qkv, other->d_qkv);
        EXPECT_EQ(one.d_beta, other->d_beta);
        EXPECT_EQ(one.d_g, other->d_g);
    }
}

TEST(DeltaAttention, CountsTheWorkOfTheChunkedForm) {
    DeltaCase<float> c{{2, 128, 4, 2, 64, 32, 64}};
    const double per_token = 4 * (6.0 * 64 * 32 + 64.0 * (3 * 64 + 2 * 32) + 64.0 * 64 / 3);

    EXPECT_DOUBLE_EQ(cost(c.forward()).model_flops, 2 * 128 * per_token);
    EXPECT_DOUBLE_EQ(cost(c.backward()).model_flops, 2 * 2 * 128 * per_token);
    EXPECT_GT(cost(c.backward()).hardware_flops, 2 * cost(c.forward()).hardware_flops);
}

}  // namespace
}  // namespace loglog
