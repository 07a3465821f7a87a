#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/engine/kernels/compare.hpp"
#include "tests/engine/kernels/each_target.hpp"
#include "tests/engine/kernels/linear_attention_case.hpp"
#include "tests/engine/kernels/linear_attention_expect.hpp"

namespace loglog {
namespace {

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

TEST(LinearAttentionExample, ReproducesTheWorkedExampleInChunksOfAnySize) {
    for_each_target([] {
        for (const WorkedNumbers& numbers : worked_numbers) {
            for (const std::size_t chunk : {1u, 2u, 3u, 8u}) {
                expect_worked_numbers<double>(numbers, chunk);
                expect_worked_numbers<float>(numbers, chunk);
            }
        }
    });
}

TEST(LinearAttentionExample, AgreesToFewRoundingsInAllFormsOfTheWorkedExample) {
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

TEST(LinearAttentionExample, StepsLeaveTheWorkedExamplesLastState) {
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
