#include "engine/kernels/activation.hpp"

#include <numbers>

#include "tests/engine/kernels/compare.hpp"
#include "tests/engine/kernels/each_target.hpp"
#include "tests/engine/kernels/random_values.hpp"

namespace loglog {
namespace {

double reference(Activation activation, double x) {
    switch (activation) {
        case Activation::none:
            return x;
        case Activation::gelu:
            return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
        case Activation::gelu_erf:
            return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2));
        case Activation::relu:
            return x > 0 ? x : 0;
    }
    return 0;
}

constexpr Activation all[] = {Activation::none, Activation::gelu, Activation::gelu_erf, Activation::relu};

template <class T>
std::vector<T> spread_values(std::size_t count) {
    auto x = random_values<T>(count, 5);
    for (T& value : x) { value *= 4; }
    return x;
}

template <class T>
void expect_activation(Activation activation, std::size_t count) {
    const auto x = spread_values<T>(count);
    std::vector<T> y(count);
    std::vector<double> expected(count);
    for (std::size_t i = 0; i < count; ++i) { expected[i] = reference(activation, x[i]); }
    CpuContext cpu{2};

    run(cpu, ActivationForward<T>{activation, x, y});

    expect_near_all(y, expected, 16, "y");
}

TEST(Activation, EqualsItsDefinition) {
    for_each_target([] {
        for (const Activation activation : all) {
            for (const std::size_t count : {0u, 1u, 15u, 100u, 5001u}) {
                expect_activation<float>(activation, count);
                expect_activation<double>(activation, count);
            }
        }
    });
}

TEST(Activation, GradientMatchesCentralDifferences) {
    for_each_target([] {
        for (const Activation activation : all) {
            auto x = spread_values<double>(21);
            const auto dy = random_values<double>(21, 6);
            std::vector<double> y(21), dx(21);
            CpuContext cpu;
            const auto loss = [&] {
                run(cpu, ActivationForward<double>{activation, x, y});
                return dot_product(y, dy);
            };

            run(cpu, ActivationBackward<double>{activation, x, dy, dx});

            expect_gradient(dx, x, loss, "dx");
        }
    });
}

TEST(Activation, WorksInPlace) {
    const auto x = spread_values<float>(100);
    std::vector<float> apart(100), together = x;
    CpuContext cpu;

    run(cpu, ActivationForward<float>{Activation::gelu, x, apart});
    run(cpu, ActivationForward<float>{Activation::gelu, together, together});

    EXPECT_EQ(apart, together);
}

TEST(Swiglu, EqualsItsDefinition) {
    for_each_target([] {
        constexpr std::size_t rows = 3, width = 37;
        const auto x = spread_values<float>(rows * 2 * width);
        std::vector<float> y(rows * width);
        std::vector<double> expected(rows * width);
        for (std::size_t r = 0; r < rows; ++r) {
            for (std::size_t i = 0; i < width; ++i) {
                const double gate = x[r * 2 * width + i];
                expected[r * width + i] = gate / (1 + std::exp(-gate)) * x[r * 2 * width + width + i];
            }
        }
        CpuContext cpu;

        run(cpu, SwigluForward<float>{x, y, width});

        expect_near_all(y, expected, 16, "y");
    });
}

TEST(Swiglu, GradientMatchesCentralDifferences) {
    for_each_target([] {
        auto x = random_values<double>(2 * 2 * 5, 1);
        const auto dy = random_values<double>(2 * 5, 2);
        std::vector<double> y(2 * 5), dx(x.size());
        CpuContext cpu;
        const auto loss = [&] {
            run(cpu, SwigluForward<double>{x, y, 5});
            return dot_product(y, dy);
        };

        run(cpu, SwigluBackward<double>{x, dy, dx, 5});

        expect_gradient(dx, x, loss, "dx");
    });
}

}  // namespace
}  // namespace loglog
