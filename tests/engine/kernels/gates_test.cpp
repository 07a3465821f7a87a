#include <array>
#include <limits>

#include "engine/kernels/decay_gate.hpp"
#include "engine/kernels/log_sigmoid_gate.hpp"
#include "engine/kernels/sigmoid_gate.hpp"
#include "tests/engine/kernels/compare.hpp"
#include "tests/engine/kernels/each_target.hpp"
#include "tests/engine/kernels/random_values.hpp"

namespace loglog {
namespace {

constexpr double softplus(double x) { return std::fmax(x, 0) + std::log1p(std::exp(-std::abs(x))); }
double logistic(double x) { return 1 / (1 + std::exp(-x)); }

template <class T>
std::vector<T> spread_values(std::size_t count, std::uint64_t seed) {
    auto x = random_values<T>(count, seed);
    for (T& value : x) { value *= 4; }
    return x;
}

template <class T>
void expect_decay_gate(std::size_t rows, std::size_t heads) {
    const auto x = spread_values<T>(rows * heads, 1);
    const auto log_rate = random_values<T>(heads, 2), offset = random_values<T>(heads, 3);
    std::vector<T> g(x.size());
    std::vector<double> expected(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        const auto h = i % heads;
        expected[i] = -std::exp(double{log_rate[h]}) * softplus(double{x[i]} + double{offset[h]});
    }
    CpuContext cpu{2};

    run(cpu, DecayGateForward<T>{x, log_rate, offset, g});

    // Each factor is good to a few units in its last place, and so is x + offset, which softplus does not magnify.
    expect_near_all(g, expected, 16, "g");
}

TEST(DecayGate, EqualsItsDefinition) {
    for_each_target([] {
        for (const std::size_t heads : {1u, 3u, 8u, 37u}) {
            expect_decay_gate<float>(7, heads);
            expect_decay_gate<double>(130, heads);
        }
        expect_decay_gate<float>(0, 4);
    });
}

TEST(DecayGate, KeepsTheRelativeAccuracyOfSmallDecaysAndStaysFinite) {
    for_each_target([] {
        const std::vector<float> x{-80, -20, -5, 0, 5, 80, 1000, -1000};
        const std::vector<float> zero(x.size(), 0.0f), dg(x.size(), 1.0f);
        std::vector<float> g(x.size()), dx(x.size());
        CpuContext cpu;

        run(cpu, DecayGateForward<float>{x, zero, zero, g});
        run(cpu, DecayGateBackward<float>{x, zero, zero, g, dg, dx, {}, {}, false, false, false});

        for (std::size_t i = 0; i < x.size(); ++i) {
            const double exact = -softplus(x[i]), slope = -logistic(x[i]);
            // e^-80 is found from a product of 80 and a rounded constant, which the reduction makes good.
            EXPECT_NEAR(g[i], exact, 8 * 0x1p-23 * std::abs(exact)) << x[i];
            EXPECT_NEAR(dx[i], slope, 8 * 0x1p-23 * std::abs(slope)) << x[i];
        }
    });
}

TEST(DecayGate, GradientsMatchCentralDifferences) {
    for_each_target([] {
        constexpr std::size_t rows = 5, heads = 3;
        auto x = spread_values<double>(rows * heads, 1);
        auto log_rate = random_values<double>(heads, 2), offset = random_values<double>(heads, 3);
        const auto dg = random_values<double>(x.size(), 4);
        std::vector<double> g(x.size()), dx(x.size()), d_log_rate(heads), d_offset(heads);
        CpuContext cpu;
        const auto loss = [&] {
            run(cpu, DecayGateForward<double>{x, log_rate, offset, g});
            return dot_product(g, dg);
        };
        loss();

        run(cpu, DecayGateBackward<double>{x, log_rate, offset, g, dg, dx, d_log_rate, d_offset, false, false, false});

        expect_gradient(dx, x, loss, "dx");
        expect_gradient(d_log_rate, log_rate, loss, "d_log_rate");
        expect_gradient(d_offset, offset, loss, "d_offset");
    });
}

struct DecayGateGradients {
    std::vector<float> dx, d_log_rate, d_offset;
};

DecayGateGradients decay_gate_gradients(int threads, float start, bool accumulate) {
    constexpr std::size_t rows = 300, heads = 5;
    const auto x = spread_values<float>(rows * heads, 1), dg = random_values<float>(rows * heads, 4);
    const auto log_rate = random_values<float>(heads, 2), offset = random_values<float>(heads, 3);
    std::vector<float> g(x.size());
    DecayGateGradients result{std::vector<float>(x.size(), start), std::vector<float>(heads, start),
                              std::vector<float>(heads, start)};
    CpuContext cpu{threads};
    run(cpu, DecayGateForward<float>{x, log_rate, offset, g});
    run(cpu, DecayGateBackward<float>{x, log_rate, offset, g, dg, result.dx, result.d_log_rate, result.d_offset,
                                      accumulate, accumulate, accumulate});
    return result;
}

TEST(DecayGate, IsBitwiseEqualForAnyNumberOfThreads) {
    const auto one = decay_gate_gradients(1, 0, false);

    for (const int threads : {2, 3}) {
        const auto several = decay_gate_gradients(threads, 0, false);
        EXPECT_EQ(several.dx, one.dx);
        EXPECT_EQ(several.d_log_rate, one.d_log_rate);
        EXPECT_EQ(several.d_offset, one.d_offset);
    }
}

TEST(DecayGate, AddsToGradientsWhenAsked) {
    const auto fresh = decay_gate_gradients(1, 7, false);
    const auto added = decay_gate_gradients(1, 7, true);

    for (std::size_t i = 0; i < fresh.dx.size(); ++i) { EXPECT_FLOAT_EQ(added.dx[i], fresh.dx[i] + 7); }
    for (std::size_t i = 0; i < fresh.d_offset.size(); ++i) {
        EXPECT_FLOAT_EQ(added.d_log_rate[i], fresh.d_log_rate[i] + 7);
        EXPECT_FLOAT_EQ(added.d_offset[i], fresh.d_offset[i] + 7);
    }
}

template <class T>
void expect_log_sigmoid(std::size_t rows, std::size_t columns, bool with_bias) {
    const auto x = spread_values<T>(rows * columns, 1);
    const auto bias = with_bias ? random_values<T>(columns, 2) : std::vector<T>{};
    std::vector<T> g(x.size());
    std::vector<double> expected(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        expected[i] = -softplus(-double{x[i]} - (with_bias ? double{bias[i % columns]} : 0.0)) / 16;
    }
    CpuContext cpu{2};

    run(cpu, LogSigmoidGateForward<T>{x, bias, g, columns, T{1} / 16});

    expect_near_all(g, expected, 4, "g");
}

TEST(LogSigmoidGate, EqualsItsDefinition) {
    for_each_target([] {
        for (const std::size_t columns : {1u, 16u, 37u}) {
            expect_log_sigmoid<float>(70, columns, true);
            expect_log_sigmoid<float>(3, columns, false);
            expect_log_sigmoid<double>(5, columns, true);
        }
    });
}

TEST(LogSigmoidGate, GradientsMatchCentralDifferences) {
    for_each_target([] {
        constexpr std::size_t rows = 70, columns = 3;
        auto x = spread_values<double>(rows * columns, 1);
        auto bias = random_values<double>(columns, 2);
        const auto dg = random_values<double>(x.size(), 4);
        std::vector<double> g(x.size()), dx(x.size()), d_bias(columns);
        CpuContext cpu;
        const auto loss = [&] {
            run(cpu, LogSigmoidGateForward<double>{x, bias, g, columns, 0.0625});
            return dot_product(g, dg);
        };

        run(cpu, LogSigmoidGateBackward<double>{x, bias, dg, dx, d_bias, columns, 0.0625, false});

        expect_gradient(dx, x, loss, "dx");
        expect_gradient(d_bias, bias, loss, "d_bias");
    });
}

TEST(LogSigmoidGate, IsBitwiseEqualForAnyNumberOfThreads) {
    constexpr std::size_t columns = 37;
    const auto x = spread_values<float>(300 * columns, 1), dg = random_values<float>(300 * columns, 4);
    const auto bias = random_values<float>(columns, 2);
    std::array<std::vector<float>, 3> d_bias;

    for (const int threads : {1, 2, 3}) {
        auto& sums = d_bias[static_cast<std::size_t>(threads - 1)];
        std::vector<float> dx(x.size());
        sums.resize(columns);
        CpuContext cpu{threads};
        run(cpu, LogSigmoidGateBackward<float>{x, bias, dg, dx, sums, columns, 0.0625f, false});
    }

    EXPECT_EQ(d_bias[1], d_bias[0]);
    EXPECT_EQ(d_bias[2], d_bias[0]);
}

TEST(SigmoidGate, EqualsItsDefinition) {
    for_each_target([] {
        for (const std::size_t count : {0u, 1u, 15u, 5001u}) {
            const auto x = spread_values<float>(count, 1), y = random_values<float>(count, 2);
            std::vector<float> s(count), out(count);
            std::vector<double> expected_s(count), expected_out(count);
            for (std::size_t i = 0; i < count; ++i) {
                expected_s[i] = 2 * logistic(x[i]);
                expected_out[i] = y[i] * logistic(x[i]);
            }
            CpuContext cpu{2};

            run(cpu, SigmoidForward<float>{x, s, 2.0f});
            run(cpu, GatedForward<float>{y, x, out});

            expect_near_all(s, expected_s, 8, "sigmoid");
            expect_near_all(out, expected_out, 8, "gated");
        }
    });
}

TEST(SigmoidGate, GradientsMatchCentralDifferences) {
    for_each_target([] {
        auto x = spread_values<double>(21, 1), y = random_values<double>(21, 2);
        const auto d_out = random_values<double>(21, 3);
        std::vector<double> out(21), dx(21), dy(21), ds(21);
        CpuContext cpu;
        const auto gated_loss = [&] {
            run(cpu, GatedForward<double>{y, x, out});
            return dot_product(out, d_out);
        };
        const auto sigmoid_loss = [&] {
            run(cpu, SigmoidForward<double>{x, out, 2.0});
            return dot_product(out, d_out);
        };

        run(cpu, GatedBackward<double>{y, x, d_out, dy, dx, false, false});
        run(cpu, SigmoidBackward<double>{x, d_out, ds, 2.0});

        expect_gradient(dx, x, gated_loss, "gate");
        expect_gradient(dy, y, gated_loss, "gated");
        expect_gradient(ds, x, sigmoid_loss, "sigmoid");
    });
}

TEST(SigmoidGate, GradientOfALargeInputKeepsItsRelativeAccuracy) {
    for_each_target([] {
        const std::vector<float> x{-60, -30, 30, 60}, one(4, 1.0f);
        std::vector<float> dx(4);
        CpuContext cpu;

        run(cpu, SigmoidBackward<float>{x, one, dx, 1.0f});

        for (std::size_t i = 0; i < 4; ++i) {
            const double small = std::exp(-std::abs(double{x[i]}));
            const double slope = small / ((1 + small) * (1 + small));
            EXPECT_NEAR(dx[i], slope, 8 * 0x1p-23 * slope) << x[i];
        }
    });
}

TEST(SiluRows, ChangesOnlyItsColumnsAndMatchesCentralDifferences) {
    for_each_target([] {
        constexpr std::size_t rows = 4, width = 6, x_stride = 9, y_stride = 7;
        auto x = spread_values<double>(rows * x_stride, 1);
        const auto dy = random_values<double>(rows * y_stride, 2);
        std::vector<double> y(rows * y_stride, 9.0), dx(rows * x_stride, 9.0);
        CpuContext cpu;
        const auto loss = [&] {
            run(cpu, SiluRows<double>{x.data(), x_stride, y.data(), y_stride, rows, width});
            double sum = 0;
            for (std::size_t r = 0; r < rows; ++r) {
                for (std::size_t i = 0; i < width; ++i) { sum += y[r * y_stride + i] * dy[r * y_stride + i]; }
            }
            return sum;
        };
        loss();

        run(cpu, SiluRowsBackward<double>{x.data(), x_stride, dy.data(), y_stride, dx.data(), rows, width});

        for (std::size_t r = 0; r < rows; ++r) {
            for (std::size_t i = 0; i < width; ++i) {
                const double value = x[r * x_stride + i];
                EXPECT_NEAR(y[r * y_stride + i], value * logistic(value), 16 * 0x1p-52);
            }
            EXPECT_EQ(y[r * y_stride + width], 9);
            for (std::size_t i = width; i < x_stride; ++i) {
                EXPECT_EQ(dx[r * x_stride + i], 9);
                dx[r * x_stride + i] = 0;
            }
        }
        expect_gradient(dx, x, loss, "dx");
    });
}

}  // namespace
}  // namespace loglog
