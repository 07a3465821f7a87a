#include <array>
#include <limits>
#include <numeric>

#include "tests/engine/kernels/compare.hpp"
#include "tests/engine/kernels/each_target.hpp"
#include "tests/engine/kernels/vector_decay_case.hpp"

namespace loglog {
namespace {

/// Expects |actual - expected| <= roundings * unit roundoff * magnitude, elementwise: every term of a result passes
/// through that many roundings at most, and the terms' absolute values add up to the magnitude.
template <class T>
void expect_rounded(const std::vector<T>& actual, const std::vector<double>& expected,
                    const std::vector<double>& magnitude, std::size_t roundings, const char* what) {
    ASSERT_EQ(actual.size(), expected.size()) << what;
    const double relative = static_cast<double>(roundings) * std::numeric_limits<T>::epsilon() / 2;
    for (std::size_t i = 0; i < actual.size(); ++i) {
        // Products of many decays may underflow.
        const double tolerance = relative * magnitude[i] + std::numeric_limits<T>::min();
        ASSERT_NEAR(actual[i], expected[i], tolerance) << what << "[" << i << "]";
    }
}

/// A term of an output is added up over channels and tokens, and decays once a token with an exponential good to 2
/// units and a product; a gradient has twice that, and over value channels.
std::size_t roundings_of(const LinearAttentionSizes& s) {
    return 6 * s.time + 2 * s.key_dim + 2 * s.value_dim + s.heads + 20;
}

template <class T>
void expect_outputs(const VectorDecayValues& values) {
    const auto x = rounded_to<T>(values);
    const auto magnitude = recurrent_outputs(magnitudes_of(x));
    VectorDecayRun<T> run{x};
    CpuContext cpu{2};

    run.forward(cpu);

    expect_rounded(run.out(), recurrent_outputs(x), magnitude, roundings_of(x.sizes), "recurrent");
    expect_rounded(run.out(), quadratic_outputs(x), magnitude, roundings_of(x.sizes), "quadratic");
}

template <class T>
void expect_gradients(const VectorDecayValues& values) {
    const auto x = rounded_to<T>(values);
    const auto& s = x.sizes;
    const auto expected = recurrent_gradients(x);
    const auto absolute = magnitudes_of(x);
    auto magnitude = recurrent_gradients(absolute);
    // dg is the sum over later tokens of q dq - k dk, whose terms are larger than what is left of them.
    for (std::size_t head = 0; head < s.heads; ++head) {
        for (std::size_t c = 0; c < s.key_dim; ++c) {
            double sum = 0;
            for (std::size_t row = x.rows(); row-- > 0;) {
                const std::size_t at = (row * s.heads + head) * s.key_dim + c;
                const std::size_t at_k = (row * s.kv_heads + x.kv_head(head)) * s.key_dim + c;
                sum += absolute.q[at] * magnitude.dq[at] + absolute.k[at_k] * magnitude.dk[at_k];
                magnitude.dg[at] = sum;
                if (x.resets(row)) { sum = 0; }
            }
        }
    }
    VectorDecayRun<T> run{x};
    CpuContext cpu{2};

    run.backward(cpu);

    const std::size_t roundings = 2 * roundings_of(s);
    expect_rounded(run.dq(), expected.dq, magnitude.dq, roundings, "dq");
    expect_rounded(run.dk(), expected.dk, magnitude.dk, roundings, "dk");
    expect_rounded(run.dv(), expected.dv, magnitude.dv, roundings, "dv");
    expect_rounded(run.dg(), expected.dg, magnitude.dg, roundings, "dg");
    for (const T value : run.between()) { ASSERT_EQ(value, 9); }
}

/// Sizes that are no multiples of blocks, chunks and vectors, with shared heads.
const LinearAttentionSizes odd{.batch = 2, .time = 45, .heads = 4, .kv_heads = 2, .key_dim = 5, .value_dim = 7};

LinearAttentionSizes with_chunk(LinearAttentionSizes s, std::size_t chunk) {
    s.chunk = chunk;
    return s;
}

TEST(VectorDecay, EqualsTheRecurrentAndTheQuadraticForm) {
    for_each_target([] {
        for (const std::size_t chunk : {1u, 3u, 16u, 24u, 64u}) {
            expect_outputs<double>(random_vector_decay(with_chunk(odd, chunk), 0.3));
            expect_outputs<float>(random_vector_decay(with_chunk(odd, chunk), 0.3));
        }
        expect_outputs<float>(random_vector_decay({1, 70, 1, 1, 32, 64, 32}, 0.1));
        expect_outputs<float>(random_vector_decay({1, 33, 2, 1, 72, 40, 64}, 0.1));
        expect_outputs<double>(random_vector_decay({3, 1, 1, 1, 1, 1, 64}, 0.1));
    });
}

TEST(VectorDecay, GradientsEqualTheRecurrentForm) {
    for_each_target([] {
        for (const std::size_t chunk : {1u, 3u, 16u, 24u, 64u}) {
            expect_gradients<double>(random_vector_decay(with_chunk(odd, chunk), 0.3));
            expect_gradients<float>(random_vector_decay(with_chunk(odd, chunk), 0.3));
        }
        expect_gradients<float>(random_vector_decay({1, 70, 1, 1, 32, 64, 32}, 0.1));
        expect_gradients<float>(random_vector_decay({1, 33, 2, 1, 72, 40, 64}, 0.1));
        expect_gradients<double>(random_vector_decay({3, 1, 1, 1, 1, 1, 64}, 0.1));
    });
}

TEST(VectorDecay, ForgetsWhatIsBeforeADocument) {
    for_each_target([] {
        for (const auto& starts : {std::vector<std::size_t>{1, 2, 16, 40}, std::vector<std::size_t>{17, 44}}) {
            for (const std::size_t chunk : {3u, 24u, 64u}) {
                expect_outputs<double>(random_vector_decay(with_chunk(odd, chunk), 0.3, starts));
                expect_gradients<double>(random_vector_decay(with_chunk(odd, chunk), 0.3, starts));
                expect_gradients<float>(random_vector_decay(with_chunk(odd, chunk), 0.3, starts));
            }
        }
    });
}

TEST(VectorDecay, KeepsEverythingWithoutDecay) {
    expect_outputs<double>(random_vector_decay(odd, 0));
    expect_gradients<double>(random_vector_decay(odd, 0));
}

TEST(VectorDecay, IsRightAndFiniteUnderStrongDecays) {
    for_each_target([] {
        for (const double strength : {30.0, 1000.0}) {
            auto x = random_vector_decay(odd, 0, {20});
            // Some channels forget at once, some at times, some never.
            for (std::size_t i = 0; i < x.g.size(); ++i) { x.g[i] = i % 3 == 0 || i % 11 == 0 ? -strength : 0; }
            expect_outputs<float>(x);
            expect_gradients<float>(x);
            std::ranges::fill(x.g, -strength);
            expect_outputs<float>(x);
            expect_gradients<float>(x);
        }
    });
}

TEST(VectorDecay, HandlesEqualKeys) {
    auto x = random_vector_decay(odd, 0.2);
    for (std::size_t i = odd.kv_heads * odd.key_dim; i < x.k.size(); ++i) {
        x.k[i] = x.k[i - odd.kv_heads * odd.key_dim];
    }

    expect_outputs<double>(x);
    expect_gradients<double>(x);
}

double root_mean_square(const std::vector<double>& x) {
    return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0) / static_cast<double>(x.size()));
}

// The specification's bound for single precision over long sequences.
TEST(VectorDecay, StaysCloseOverLongSequences) {
    for (const std::size_t time : {1024u, 1000u}) {
        for (const double strength : {0.01, 0.3}) {
            const auto x = rounded_to<float>(random_vector_decay({1, time, 1, 1, 64, 64, 64}, strength));
            const auto out = recurrent_outputs(x);
            const auto gradients = recurrent_gradients(x);
            VectorDecayRun<float> run{x};
            CpuContext cpu;

            run.forward(cpu);
            run.backward(cpu);

            const auto expect_close = [&](const std::vector<float>& actual, const std::vector<double>& expected) {
                const double tolerance = 2e-5 * root_mean_square(expected);
                for (std::size_t i = 0; i < actual.size(); ++i) { ASSERT_NEAR(actual[i], expected[i], tolerance) << i; }
            };
            expect_close(run.out(), out);
            expect_close(run.dq(), gradients.dq);
            expect_close(run.dk(), gradients.dk);
            expect_close(run.dv(), gradients.dv);
            expect_close(run.dg(), gradients.dg);
        }
    }
}

/// The worked example: one head, T = 8, key_dim = 4, value_dim = 3, and a loss sum(c * out).
VectorDecayValues worked_example(std::size_t chunk) {
    VectorDecayValues x{.sizes = {1, 8, 1, 1, 4, 3, chunk},
                        .scale = 0.5,
                        .q = {},
                        .k = {},
                        .v = {},
                        .g = {},
                        .d_out = {},
                        .document_start = {}};
    for (int t = 0; t < 8; ++t) {
        for (int i = 0; i < 4; ++i) {
            x.q.push_back(std::sin(1 + 0.9 * t + 1.7 * i));
            x.k.push_back(std::cos(0.5 + 1.1 * t - 0.6 * i));
            x.g.push_back(-0.03 * (1 + (2 * t + 3 * i) % 5));
        }
        for (int j = 0; j < 3; ++j) {
            x.v.push_back(std::sin(0.3 + 0.4 * t + 2.3 * j));
            x.d_out.push_back(std::cos(0.2 + 0.7 * t + 1.9 * j));
        }
    }
    return x;
}

template <class T>
double sum_of_squares(const std::vector<T>& x) {
    double sum = 0;
    for (const T value : x) { sum += static_cast<double>(value) * static_cast<double>(value); }
    return sum;
}

// Numbers from the NumPy oracle, given to 12 places. In single precision a sum of up to 24 terms of size at most 8,
// each good to 60 units, is compared.
template <class T>
void expect_worked_example(std::size_t chunk, double tolerance) {
    const auto x = worked_example(chunk);
    VectorDecayRun<T> run{x};
    CpuContext cpu;
    run.forward(cpu);
    run.backward(cpu);
    const auto& out = run.out();

    EXPECT_NEAR(dot_product(std::vector<double>(out.begin(), out.end()), x.d_out), -2.239035586663, tolerance);
    EXPECT_NEAR(sum_of_squares(out), 2.698113993702, tolerance);
    EXPECT_NEAR(out[21], 0.111299019145, tolerance);
    EXPECT_NEAR(out[22], -0.170791294572, tolerance);
    EXPECT_NEAR(out[23], 0.116289269289, tolerance);
    EXPECT_NEAR(sum_of_squares(run.dq()), 6.245807409334, tolerance);
    EXPECT_NEAR(sum_of_squares(run.dk()), 26.418737154833, tolerance);
    EXPECT_NEAR(sum_of_squares(run.dv()), 10.133408598534, tolerance);
    EXPECT_NEAR(sum_of_squares(run.dg()), 28.842282876042, tolerance);
    EXPECT_NEAR(run.dg()[3 * 4 + 1], 0.977991337799, tolerance);
}

TEST(VectorDecay, ReproducesTheWorkedExample) {
    for_each_target([] {
        for (const std::size_t chunk : {1u, 2u, 3u, 8u}) {
            expect_worked_example<double>(chunk, 1e-10);
            expect_worked_example<float>(chunk, 24 * 8 * 60 * 0x1p-24);
        }
    });
}

TEST(VectorDecay, TreatsPackedDocumentsAsIfAlone) {
    const std::size_t first = 21, time = 45;
    const auto packed = random_vector_decay({1, time, 2, 1, 8, 6, 64}, 0.2, {first});
    VectorDecayRun<double> together{packed};
    CpuContext cpu;
    together.forward(cpu);
    together.backward(cpu);

    for (const auto& [begin, end] : {std::pair{std::size_t{0}, first}, std::pair{first, time}}) {
        VectorDecayValues alone = packed;
        alone.sizes.time = end - begin;
        alone.document_start.clear();
        const auto cut = [&](const std::vector<double>& x) {
            const std::size_t width = x.size() / time;
            return std::vector<double>(x.begin() + static_cast<std::ptrdiff_t>(begin * width),
                                       x.begin() + static_cast<std::ptrdiff_t>(end * width));
        };
        for (auto* x : {&alone.q, &alone.k, &alone.v, &alone.g, &alone.d_out}) { *x = cut(*x); }
        VectorDecayRun<double> apart{alone};
        apart.forward(cpu);
        apart.backward(cpu);

        // The documents meet blocks in other places, so their sums are added in another order.
        expect_near_all(apart.out(), cut(together.out()), 200, "out");
        expect_near_all(apart.dq(), cut(together.dq()), 200, "dq");
        expect_near_all(apart.dk(), cut(together.dk()), 200, "dk");
        expect_near_all(apart.dv(), cut(together.dv()), 200, "dv");
        expect_near_all(apart.dg(), cut(together.dg()), 200, "dg");
    }
}

TEST(VectorDecay, IsBitwiseEqualForAnyNumberOfThreads) {
    const auto x = random_vector_decay({2, 70, 4, 2, 16, 16, 32}, 0.2, {30});
    VectorDecayRun<float> one{x};
    CpuContext alone{1};
    one.forward(alone);
    one.backward(alone);

    for (const int threads : {2, 3}) {
        VectorDecayRun<float> several{x};
        CpuContext cpu{threads};
        several.forward(cpu);
        several.backward(cpu);
        EXPECT_EQ(several.out(), one.out());
        EXPECT_EQ(several.all_gradients(), one.all_gradients());
        EXPECT_EQ(several.dg(), one.dg());
    }
}

TEST(VectorDecay, AddsToTheDecaysGradientWhenAsked) {
    const auto x = random_vector_decay(odd, 0.2);
    VectorDecayRun<float> fresh{x}, added{x};
    CpuContext cpu;

    fresh.backward(cpu);
    added.backward(cpu, true);

    const auto expected = fresh.dg(), actual = added.dg();
    for (std::size_t i = 0; i < actual.size(); ++i) { EXPECT_FLOAT_EQ(actual[i], expected[i] + 9); }
}

template <class T>
void expect_steps(const LinearAttentionSizes& s) {
    const auto x = rounded_to<T>(random_vector_decay(s, 0.2));
    VectorDecayRun<T> whole{x};
    CpuContext cpu{2};
    std::vector<T> state(s.heads * s.key_dim * s.value_dim), out(x.d_out.size());

    for (std::size_t row = 0; row < s.time; ++row) {
        auto in = whole.inputs();
        in.sizes.batch = in.sizes.time = 1;
        in.q.data += row * in.q.token_stride;
        in.k.data += row * in.k.token_stride;
        in.v.data += row * in.v.token_stride;
        in.g += row * s.heads * s.key_dim;
        const std::size_t width = s.heads * s.value_dim;
        run(cpu, VectorDecayStep<T>{in, {out.data() + row * width, width}, state});
    }

    expect_rounded(out, recurrent_outputs(x), recurrent_outputs(magnitudes_of(x)), roundings_of(s), "step");
}

TEST(VectorDecay, StepsReachTheSameOutputs) {
    for_each_target([] {
        expect_steps<double>({1, 21, 4, 2, 5, 7, 64});
        expect_steps<float>({1, 21, 2, 2, 32, 48, 64});
    });
}

TEST(VectorDecay, CostsWhatTheSpecificationSays) {
    const LinearAttentionSizes s{2, 1024, 4, 2, 64, 32, 64};
    const VectorDecayInputs<float> in{.sizes = s, .q = {}, .k = {}, .v = {}, .g = nullptr};
    const double forward = 2.0 * 1024 * 4 * (4.0 * 64 * 32 + 65.0 * (64 + 32));

    EXPECT_EQ(cost(VectorDecayForward<float>{in, {}}).model_flops, forward);
    EXPECT_EQ(cost(VectorDecayBackward<float>{in, {}, {}, {}, {}}).model_flops, 2 * forward);
}

}  // namespace
}  // namespace loglog
