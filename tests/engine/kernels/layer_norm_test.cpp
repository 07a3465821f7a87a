#include "engine/kernels/layer_norm.hpp"

#include "tests/engine/kernels/compare.hpp"
#include "tests/engine/kernels/each_target.hpp"
#include "tests/engine/kernels/random_values.hpp"

namespace loglog {
namespace {

template <class T>
struct NormCase {
    std::size_t rows, width;
    std::vector<T> x, gain, bias, dy, y, mean, inv_std, dx, dgain, dbias;

    NormCase(std::size_t r, std::size_t w)
        : rows{r},
          width{w},
          x(random_values<T>(r * w, 1)),
          gain(random_values<T>(w, 2)),
          bias(random_values<T>(w, 3)),
          dy(random_values<T>(r * w, 4)),
          y(r * w),
          mean(r),
          inv_std(r),
          dx(r * w, T{2}),
          dgain(w, T{3}),
          dbias(w, T{4}) {}

    LayerNormForward<T> forward() { return {x, gain, bias, y, mean, inv_std, T(1e-5)}; }
    LayerNormBackward<T> backward(bool accumulate = false) {
        return {x, gain, mean, inv_std, dy, dx, dgain, dbias, accumulate, accumulate};
    }
};

template <class T>
void expect_forward(std::size_t rows, std::size_t width) {
    NormCase<T> c{rows, width};
    std::vector<double> y(rows * width);
    for (std::size_t r = 0; r < rows; ++r) {
        double mean = 0, variance = 0;
        for (std::size_t i = 0; i < width; ++i) { mean += c.x[r * width + i] / static_cast<double>(width); }
        for (std::size_t i = 0; i < width; ++i) {
            variance += (c.x[r * width + i] - mean) * (c.x[r * width + i] - mean) / static_cast<double>(width);
        }
        const double inv_std = 1 / std::sqrt(variance + static_cast<double>(T(1e-5)));
        for (std::size_t i = 0; i < width; ++i) {
            y[r * width + i] = c.gain[i] * (c.x[r * width + i] - mean) * inv_std + c.bias[i];
        }
    }
    CpuContext cpu{2};

    run(cpu, c.forward());

    // With one channel the deviation is rounding error alone, magnified by 1 / sqrt(epsilon of the norm) = 316.
    expect_near_all(c.y, y, width == 1 ? 320 : 16, "y");
}

TEST(LayerNorm, NormalisesEachRow) {
    for_each_target([] {
        for (const std::size_t width : {1u, 3u, 16u, 31u, 64u, 257u}) {
            expect_forward<float>(5, width);
            expect_forward<double>(5, width);
        }
        expect_forward<float>(0, 8);
        expect_forward<float>(1, 8);
    });
}

TEST(LayerNorm, GradientsMatchCentralDifferences) {
    for_each_target([] {
        NormCase<double> c{3, 5};
        CpuContext cpu;
        const auto loss = [&] {
            run(cpu, c.forward());
            return dot_product(c.y, c.dy);
        };
        loss();
        run(cpu, c.backward());

        expect_gradient(c.dx, c.x, loss, "dx");
        expect_gradient(c.dgain, c.gain, loss, "dgain");
        expect_gradient(c.dbias, c.bias, loss, "dbias");
    });
}

TEST(LayerNorm, AddsToGradientsWhenAsked) {
    NormCase<float> fresh{70, 37}, added{70, 37};
    CpuContext cpu;
    run(cpu, fresh.forward());
    run(cpu, added.forward());

    run(cpu, fresh.backward());
    run(cpu, added.backward(true));

    for (std::size_t i = 0; i < fresh.dx.size(); ++i) { EXPECT_FLOAT_EQ(added.dx[i], fresh.dx[i] + 2); }
    for (std::size_t i = 0; i < 37; ++i) {
        EXPECT_FLOAT_EQ(added.dgain[i], fresh.dgain[i] + 3);
        EXPECT_FLOAT_EQ(added.dbias[i], fresh.dbias[i] + 4);
    }
}

TEST(LayerNorm, NeedsNoBias) {
    NormCase<float> with{4, 9}, without{4, 9};
    CpuContext cpu;
    std::fill(with.bias.begin(), with.bias.end(), 0.0f);
    auto forward = without.forward();
    forward.bias = {};
    auto backward = without.backward();
    backward.dbias = {};

    run(cpu, with.forward());
    run(cpu, forward);
    run(cpu, with.backward());
    run(cpu, backward);

    EXPECT_EQ(with.y, without.y);
    EXPECT_EQ(with.dgain, without.dgain);
    EXPECT_EQ(without.dbias, std::vector<float>(9, 4.0f));
}

TEST(LayerNorm, IsBitwiseEqualForAnyNumberOfThreads) {
    NormCase<float> one{300, 65}, three{300, 65};
    CpuContext cpu1{1}, cpu3{3};

    run(cpu1, one.forward());
    run(cpu1, one.backward());
    run(cpu3, three.forward());
    run(cpu3, three.backward());

    EXPECT_EQ(one.dx, three.dx);
    EXPECT_EQ(one.dgain, three.dgain);
    EXPECT_EQ(one.dbias, three.dbias);
}

TEST(LayerNorm, CostsNoModelFlops) {
    NormCase<float> c{3, 8};

    EXPECT_EQ(cost(c.forward()).model_flops, 0);
    EXPECT_EQ(cost(c.forward()).bytes_written, 4.0 * (24 + 6));
    EXPECT_EQ(cost(c.backward()).bytes_read, 4.0 * (48 + 6 + 8));
}

}  // namespace
}  // namespace loglog
