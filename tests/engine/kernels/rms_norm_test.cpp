#include "engine/kernels/rms_norm.hpp"

#include "tests/engine/kernels/compare.hpp"
#include "tests/engine/kernels/each_target.hpp"
#include "tests/engine/kernels/random_values.hpp"

namespace loglog {
namespace {

/// Heads inside a wider row, with something else behind them that must not change.
template <class T>
struct RmsCase {
    RmsNormSizes sizes;
    std::vector<T> x, gain, y, inv_rms, dy, dx, dgain;

    RmsCase(std::size_t tokens, std::size_t groups, std::size_t width)
        : sizes{tokens, groups, width, groups * width + 5, groups * width + 2},
          x(random_values<T>(tokens * sizes.x_stride, 1)),
          gain(random_values<T>(width, 2)),
          y(tokens * sizes.y_stride, T{9}),
          inv_rms(tokens * groups),
          dy(random_values<T>(tokens * sizes.y_stride, 3)),
          dx(x.size(), T{2}),
          dgain(width, T{3}) {}

    RmsNormForward<T> forward() { return {sizes, x.data(), gain, y.data(), inv_rms, T(1e-6)}; }
    RmsNormBackward<T> backward(bool accumulate = false) {
        return {sizes, x.data(), gain, inv_rms, dy.data(), dx.data(), dgain, accumulate, accumulate};
    }
    /// Elements of `values` (strided by `stride`) that belong to a group.
    std::vector<T> inside(const std::vector<T>& values, std::size_t stride) const {
        std::vector<T> result;
        for (std::size_t t = 0; t < sizes.tokens; ++t) {
            for (std::size_t i = 0; i < sizes.groups * sizes.width; ++i) { result.push_back(values[t * stride + i]); }
        }
        return result;
    }
};

template <class T>
void expect_forward(std::size_t tokens, std::size_t groups, std::size_t width) {
    RmsCase<T> c{tokens, groups, width};
    std::vector<double> expected(c.y.size(), 9.0);
    for (std::size_t t = 0; t < tokens; ++t) {
        for (std::size_t g = 0; g < groups; ++g) {
            const T* x = c.x.data() + t * c.sizes.x_stride + g * width;
            double square = 0;
            for (std::size_t i = 0; i < width; ++i) { square += static_cast<double>(x[i]) * x[i]; }
            const double inv = 1 / std::sqrt(square / static_cast<double>(width) + static_cast<double>(T(1e-6)));
            for (std::size_t i = 0; i < width; ++i) {
                expected[t * c.sizes.y_stride + g * width + i] = c.gain[i] * x[i] * inv;
            }
        }
    }
    CpuContext cpu{2};

    run(cpu, c.forward());

    expect_near_all(c.y, expected, 16, "y");
}

TEST(RmsNorm, NormalisesEachVectorAndLeavesTheRestAlone) {
    for_each_target([] {
        for (const std::size_t width : {1u, 7u, 32u, 65u}) {
            expect_forward<float>(6, 1, width);
            expect_forward<double>(3, 3, width);
        }
        expect_forward<float>(0, 1, 8);
    });
}

TEST(RmsNorm, GradientsMatchCentralDifferences) {
    for_each_target([] {
        RmsCase<double> c{3, 2, 5};
        CpuContext cpu;
        const auto loss = [&] {
            run(cpu, c.forward());
            return dot_product(c.inside(c.y, c.sizes.y_stride), c.inside(c.dy, c.sizes.y_stride));
        };
        loss();
        run(cpu, c.backward());
        for (std::size_t t = 0; t < 3; ++t) {
            for (std::size_t i = 10; i < c.sizes.x_stride; ++i) {
                EXPECT_EQ(c.dx[t * c.sizes.x_stride + i], 2);
                c.dx[t * c.sizes.x_stride + i] = 0;
            }
        }

        expect_gradient(c.dx, c.x, loss, "dx");
        expect_gradient(c.dgain, c.gain, loss, "dgain");
    });
}

TEST(RmsNorm, AddsToGradientsWhenAsked) {
    RmsCase<float> fresh{70, 1, 37}, added{70, 1, 37};
    CpuContext cpu;
    run(cpu, fresh.forward());
    run(cpu, added.forward());

    run(cpu, fresh.backward());
    run(cpu, added.backward(true));

    for (std::size_t i = 0; i < 37; ++i) {
        EXPECT_FLOAT_EQ(added.dx[i], fresh.dx[i] + 2);
        EXPECT_FLOAT_EQ(added.dgain[i], fresh.dgain[i] + 3);
    }
}

TEST(RmsNorm, IsBitwiseEqualForAnyNumberOfThreads) {
    RmsCase<float> one{300, 2, 33}, three{300, 2, 33};
    CpuContext cpu1{1}, cpu3{3};

    run(cpu1, one.forward());
    run(cpu1, one.backward());
    run(cpu3, three.forward());
    run(cpu3, three.backward());

    EXPECT_EQ(one.dx, three.dx);
    EXPECT_EQ(one.dgain, three.dgain);
}

}  // namespace
}  // namespace loglog
