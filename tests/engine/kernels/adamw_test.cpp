#include "engine/kernels/adamw.hpp"

#include "tests/engine/kernels/compare.hpp"
#include "tests/engine/kernels/each_target.hpp"
#include "tests/engine/kernels/random_values.hpp"

namespace loglog {
namespace {

template <class T>
void expect_three_steps(std::size_t count) {
    auto value = random_values<T>(count, 1);
    std::vector<T> m(count), v(count);
    std::vector<double> expected(value.begin(), value.end()), em(count), ev(count);
    const double lr = 0.01, decay = 0.1, b1 = 0.9, b2 = 0.95, epsilon = 1e-8, scale = 0.5;
    CpuContext cpu{2};
    for (int step = 1; step <= 3; ++step) {
        const auto gradient = random_values<T>(count, 10 + static_cast<std::uint64_t>(step));
        for (std::size_t i = 0; i < count; ++i) {
            const double g = scale * gradient[i];
            em[i] = b1 * em[i] + (1 - b1) * g;
            ev[i] = b2 * ev[i] + (1 - b2) * g * g;
            const double update =
                em[i] / (1 - std::pow(b1, step)) / (std::sqrt(ev[i] / (1 - std::pow(b2, step))) + epsilon);
            expected[i] -= lr * decay * expected[i] + lr * update;
        }

        run(cpu, AdamW<T>{value, gradient, m, v, T(lr), T(decay), T(b1), T(b2), T(epsilon), T(1 - std::pow(b1, step)),
                          T(1 - std::pow(b2, step)), T(scale)});
    }

    // 1 - b2 carries epsilon / 0.05 of relative error in T.
    expect_near_all(value, expected, 16, "value");
    expect_near_all(m, em, 16, "first moment");
    expect_near_all(v, ev, 64, "second moment");
}

TEST(AdamW, TakesThePublishedSteps) {
    for_each_target([] {
        for (const std::size_t count : {0u, 1u, 19u, 5000u}) {
            expect_three_steps<float>(count);
            expect_three_steps<double>(count);
        }
    });
}

TEST(AdamW, MovesByTheLearningRateOnItsFirstStep) {
    std::vector<double> value{1, 1}, m(2), v(2);
    const std::vector<double> gradient{3, -0.01};
    CpuContext cpu;

    run(cpu, AdamW<double>{value, gradient, m, v, 0.1, 0, 0.9, 0.95, 0, 1 - 0.9, 1 - 0.95, 1});

    EXPECT_NEAR(value[0], 0.9, 1e-14);
    EXPECT_NEAR(value[1], 1.1, 1e-14);
}

}  // namespace
}  // namespace loglog
