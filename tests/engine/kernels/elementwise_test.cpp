#include "engine/kernels/elementwise.hpp"

#include "tests/engine/kernels/compare.hpp"
#include "tests/engine/kernels/each_target.hpp"
#include "tests/engine/kernels/random_values.hpp"

namespace loglog {
namespace {

TEST(Scale, MultipliesAndAddsWhenAsked) {
    for_each_target([] {
        for (const std::size_t count : {0u, 1u, 17u, 5000u}) {
            const auto x = random_values<float>(count, 1);
            std::vector<float> y(count, 7.0f), sum(count, 1.0f);
            CpuContext cpu{2};

            run(cpu, Scale<float>{x, y, 2});
            run(cpu, Scale<float>{x, sum, 2, true});

            for (std::size_t i = 0; i < count; ++i) {
                EXPECT_EQ(y[i], 2 * x[i]);
                EXPECT_FLOAT_EQ(sum[i], 1 + 2 * x[i]);
            }
        }
    });
}

TEST(ChainSum, AddsPartByPartToTheFirst) {
    for_each_target([] {
        for (const std::size_t count : {0u, 1u, 17u, 5000u}) {
            const auto x = random_values<float>(count, 1);
            const auto a = random_values<float>(count, 2);
            const auto b = random_values<float>(count, 3);
            const std::vector<const float*> parts{a.data(), b.data()};
            std::vector<float> y(count), in_place = x;
            CpuContext cpu{2};

            run(cpu, ChainSum<float>{x, parts, y});
            run(cpu, ChainSum<float>{in_place, std::span{parts}.first(1), in_place});

            for (std::size_t i = 0; i < count; ++i) {
                EXPECT_EQ(y[i], b[i] + (a[i] + x[i]));
                EXPECT_EQ(in_place[i], a[i] + x[i]);
            }
        }
    });
}

TEST(Fill, SetsEveryElement) {
    for_each_target([] {
        std::vector<double> y(4099, 1.0);
        CpuContext cpu{2};

        run(cpu, Fill<double>{y, 3.5});

        EXPECT_EQ(y, std::vector<double>(4099, 3.5));
    });
}

TEST(ColumnSum, AddsRowsInFixedChunks) {
    for_each_target([] {
        constexpr std::size_t rows = 200, columns = 133;
        const auto x = random_values<float>(rows * columns, 1);
        std::vector<double> expected(columns, 1.0);
        for (std::size_t i = 0; i < x.size(); ++i) { expected[i % columns] += 0.5 * x[i]; }
        std::vector<float> one(columns, 1.0f), three(columns, 1.0f);
        CpuContext cpu1{1}, cpu3{3};

        run(cpu1, ColumnSum<float>{x, one, 0.5f, true});
        run(cpu3, ColumnSum<float>{x, three, 0.5f, true});

        expect_near_all(one, expected, 32, "sum");
        EXPECT_EQ(one, three);
    });
}

TEST(ColumnSum, OverwritesUnlessAskedToAdd) {
    const std::vector<double> x{1, 2, 3, 4};
    std::vector<double> out{9, 9};
    CpuContext cpu;

    run(cpu, ColumnSum<double>{x, out});

    EXPECT_EQ(out, (std::vector<double>{4, 6}));
}

TEST(SumOfSquares, AddsInDouble) {
    for_each_target([] {
        for (const std::size_t count : {0u, 1u, 3u, 10000u}) {
            const auto x = random_values<float>(count, 1);
            double expected = 0, one = -1, three = -1;
            for (const float value : x) { expected += static_cast<double>(value) * value; }
            CpuContext cpu1{1}, cpu3{3};

            run(cpu1, SumOfSquares<float>{x, &one});
            run(cpu3, SumOfSquares<float>{x, &three});

            EXPECT_NEAR(one, expected, 1e-12 * expected);
            EXPECT_EQ(one, three);
        }
    });
}

TEST(TileSquares, SumsStridedTilesInDoubleWithBitsThatDoNotDependOnTheStride) {
    for_each_target([] {
        constexpr std::size_t rows = 7, columns = 45, stride = 61;
        const auto strided = random_values<float>(rows * stride, 1);
        std::vector<float> packed;
        double expected = 0;
        for (std::size_t row = 0; row < rows; ++row) {
            for (std::size_t column = 0; column < columns; ++column) {
                packed.push_back(strided[row * stride + column]);
                expected += static_cast<double>(packed.back()) * packed.back();
            }
        }
        const std::vector<SquaresTile<float>> tiles{{packed.data(), rows, columns, columns, 0},
                                                    {packed.data(), 1, 3, 3, 3},
                                                    {packed.data(), 0, columns, columns, 2},
                                                    {packed.data(), 1, 1, 1, 5},
                                                    {strided.data(), rows, columns, stride, 1}};
        std::vector<double> one(6, -1.0), three(6, -1.0);
        CpuContext cpu1{1}, cpu3{3};

        run(cpu1, TileSquares<float>{tiles, one});
        run(cpu3, TileSquares<float>{tiles, three});

        EXPECT_NEAR(one[0], expected, 1e-13 * expected);
        EXPECT_EQ(one[1], one[0]);
        EXPECT_EQ(one[2], 0);
        EXPECT_EQ(one[4], -1);
        EXPECT_EQ(one[5], static_cast<double>(packed[0]) * packed[0]);
        EXPECT_EQ(one, three);
    });
}

Dropout<float> dropout_of(std::span<const float> x, std::span<const float> residual, std::span<float> y,
                          std::size_t width) {
    return {.x = x,
            .residual = residual,
            .y = y,
            .width = width,
            .probability = 0.3f,
            .key = {1, 2},
            .step = 5,
            .layer = 3,
            .first_row = 100,
            .scale = 2};
}

TEST(Dropout, KeepsTheStatedShareAndScalesIt) {
    constexpr std::size_t rows = 100, width = 203;
    const std::vector<float> x(rows * width, 1.0f), residual(rows * width, 0.5f);
    std::vector<float> y(rows * width);
    CpuContext cpu{2};

    run(cpu, dropout_of(x, residual, y, width));

    double kept = 0;
    for (const float value : y) {
        if (value != 0.5f) {
            EXPECT_FLOAT_EQ(value, 0.5f + 2 / 0.7f);
            ++kept;
        }
    }
    const double count = rows * width;
    EXPECT_NEAR(kept / count, 0.7, 5 * std::sqrt(0.3 * 0.7 / count));
}

TEST(Dropout, DependsOnGlobalRowsOnly) {
    constexpr std::size_t rows = 10, width = 7;
    const auto x = random_values<float>(rows * width, 1);
    std::vector<float> whole(rows * width), parts(rows * width);
    CpuContext cpu;

    run(cpu, dropout_of(x, {}, whole, width));
    const std::span<const float> in{x};
    const std::span<float> out{parts};
    run(cpu, dropout_of(in.first(4 * width), {}, out.first(4 * width), width));
    auto rest = dropout_of(in.subspan(4 * width), {}, out.subspan(4 * width), width);
    rest.first_row += 4;
    run(cpu, rest);

    EXPECT_EQ(whole, parts);
}

TEST(Dropout, DiffersBetweenStepsLayersAndKeys) {
    const std::vector<float> x(256, 1.0f);
    std::vector<float> y(256), other(256);
    CpuContext cpu;
    run(cpu, dropout_of(x, {}, y, 256));

    auto step = dropout_of(x, {}, other, 256);
    step.step = 6;
    run(cpu, step);
    EXPECT_NE(y, other);
    auto layer = dropout_of(x, {}, other, 256);
    layer.layer = 4;
    run(cpu, layer);
    EXPECT_NE(y, other);
    auto key = dropout_of(x, {}, other, 256);
    key.key = {1, 3};
    run(cpu, key);
    EXPECT_NE(y, other);
}

TEST(Dropout, WithProbabilityZeroAddsTheScaledInput) {
    for_each_target([] {
        const auto x = random_values<double>(75, 1);
        const auto residual = random_values<double>(75, 2);
        std::vector<double> y(75);
        CpuContext cpu;

        run(cpu, Dropout<double>{x, residual, y, 25, 0, {}, 0, 0, 0, 3});

        for (std::size_t i = 0; i < 75; ++i) { EXPECT_DOUBLE_EQ(y[i], residual[i] + 3 * x[i]); }
    });
}

}  // namespace
}  // namespace loglog
