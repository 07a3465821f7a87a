#include "engine/kernels/rotary.hpp"

#include "tests/engine/kernels/compare.hpp"
#include "tests/engine/kernels/each_target.hpp"
#include "tests/engine/kernels/random_values.hpp"

namespace loglog {
namespace {

constexpr std::size_t head_dim = 10, heads = 3, time = 4, tokens = 8, stride = 37, first_position = 2;

template <class T>
struct Tables {
    std::vector<T> cosine, sine;
    Tables() {
        for (std::size_t p = 0; p < first_position + time; ++p) {
            for (std::size_t i = 0; i < head_dim / 2; ++i) {
                const double angle =
                    static_cast<double>(p) * std::pow(10000.0, -2.0 * static_cast<double>(i) / head_dim);
                cosine.push_back(static_cast<T>(std::cos(angle)));
                sine.push_back(static_cast<T>(std::sin(angle)));
            }
        }
    }
};

TEST(Rotary, TurnsPairsOfChannelsByThePosition) {
    for_each_target([] {
        const Tables<double> tables;
        const auto x = random_values<double>(tokens * stride, 1);
        auto y = x;
        CpuContext cpu{2};

        run(cpu, Rotary<double>{y.data(), tokens, time, heads, head_dim, stride, tables.cosine, tables.sine, false,
                                first_position});

        for (std::size_t t = 0; t < tokens; ++t) {
            for (std::size_t h = 0; h < heads; ++h) {
                for (std::size_t i = 0; i < head_dim / 2; ++i) {
                    const double angle = static_cast<double>(first_position + t % time) *
                                         std::pow(10000.0, -2.0 * static_cast<double>(i) / head_dim);
                    const std::size_t low = t * stride + h * head_dim + i, high = low + head_dim / 2;
                    EXPECT_NEAR(y[low], x[low] * std::cos(angle) - x[high] * std::sin(angle), 1e-14);
                    EXPECT_NEAR(y[high], x[low] * std::sin(angle) + x[high] * std::cos(angle), 1e-14);
                }
            }
            for (std::size_t i = heads * head_dim; i < stride; ++i) { EXPECT_EQ(y[t * stride + i], x[t * stride + i]); }
        }
    });
}

TEST(Rotary, InverseUndoesIt) {
    for_each_target([] {
        const Tables<float> tables;
        const auto x = random_values<float>(tokens * stride, 1);
        auto y = x;
        Rotary<float> kernel{y.data(), tokens, time, heads, head_dim, stride, tables.cosine, tables.sine};
        CpuContext cpu;

        run(cpu, kernel);
        EXPECT_NE(x, y);
        kernel.inverse = true;
        run(cpu, kernel);

        expect_near_all(y, std::vector<double>(x.begin(), x.end()), 8, "x");
    });
}

}  // namespace
}  // namespace loglog
