#include "engine/kernels/short_convolution.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "tests/engine/kernels/compare.hpp"
#include "tests/engine/kernels/each_target.hpp"
#include "tests/engine/kernels/random_values.hpp"

namespace loglog {
namespace {

template <class T>
struct ConvolutionCase {
    ShortConvolutionSizes sizes;
    std::vector<T> x, weight, dy, y, dx, dweight;
    std::vector<std::int32_t> document_start;

    ConvolutionCase(std::size_t batch, std::size_t time, std::size_t channels, std::size_t taps)
        : sizes{batch * time, time, channels, taps},
          x(random_values<T>(sizes.rows * channels, 1)),
          weight(random_values<T>(channels * taps, 2)),
          dy(random_values<T>(x.size(), 3)),
          y(x.size(), T{7}),
          dx(x.size(), T{2}),
          dweight(weight.size(), T{3}) {}

    /// The first document of every sequence has `first` tokens, the next ones 5.
    void cut_documents(std::size_t first) {
        for (std::size_t row = 0; row < sizes.rows; ++row) {
            const std::size_t t = row % sizes.time;
            document_start.push_back(static_cast<std::int32_t>(t < first ? 0 : t - (t - first) % 5));
        }
    }
    ShortConvolutionForward<T> forward() { return {sizes, x, weight, document_start, y}; }
    ShortConvolutionBackward<T> backward(bool accumulate = false) {
        return {sizes, x, weight, document_start, dy, dx, dweight, accumulate, accumulate};
    }
    /// From the definition, in double.
    std::vector<double> expected() const {
        std::vector<double> result(x.size());
        for (std::size_t row = 0; row < sizes.rows; ++row) {
            const std::size_t t = row % sizes.time;
            const std::size_t start = document_start.empty() ? 0 : static_cast<std::size_t>(document_start[row]);
            for (std::size_t c = 0; c < sizes.channels; ++c) {
                double z = 0;
                for (std::size_t i = 0; i < sizes.taps && start + i <= t; ++i) {
                    z += static_cast<double>(weight[c * sizes.taps + sizes.taps - 1 - i]) *
                         static_cast<double>(x[(row - i) * sizes.channels + c]);
                }
                result[row * sizes.channels + c] = z / (1 + std::exp(-z));
            }
        }
        return result;
    }
};

// z rounds once per tap and silu's slope is at most 1.1; 8 for the sigmoid.
template <class T>
void expect_forward(ConvolutionCase<T> c) {
    CpuContext cpu{2};

    run(cpu, c.forward());

    expect_near_all(c.y, c.expected(), 2 * static_cast<double>(c.sizes.taps) + 8, "y");
}

TEST(ShortConvolution, EqualsItsDefinitionForEveryNumberOfTaps) {
    for_each_target([] {
        for (std::size_t taps = 1; taps <= 8; ++taps) {
            expect_forward(ConvolutionCase<float>{2, 70, 5, taps});
            expect_forward(ConvolutionCase<double>{1, 3, 67, taps});
            ConvolutionCase<float> cut{2, 30, 130, taps};
            cut.cut_documents(3);
            expect_forward(cut);
        }
    });
}

TEST(ShortConvolution, GradientsMatchCentralDifferencesAcrossDocuments) {
    for_each_target([] {
        for (const std::size_t taps : {1u, 4u, 8u}) {
            ConvolutionCase<double> c{2, 36, 3, taps};
            c.cut_documents(2);
            CpuContext cpu;
            const auto loss = [&] {
                run(cpu, c.forward());
                return dot_product(c.y, c.dy);
            };
            run(cpu, c.backward());

            expect_gradient(c.dx, c.x, loss, "dx");
            expect_gradient(c.dweight, c.weight, loss, "dweight");
        }
    });
}

TEST(ShortConvolution, GradientsMatchCentralDifferencesWhereChunksOfRowsMeetInsideADocument) {
    ConvolutionCase<double> c{1, 140, 2, 4};
    CpuContext cpu;
    const auto loss = [&] {
        run(cpu, c.forward());
        return dot_product(c.y, c.dy);
    };
    run(cpu, c.backward());

    // The weight's gradient is a sum of 140 terms, and with it the error of the difference.
    expect_gradient(c.dx, c.x, loss, "dx");
    expect_gradient(c.dweight, c.weight, loss, "dweight");
}

TEST(ShortConvolution, AddsToGradientsWhenAsked) {
    ConvolutionCase<float> fresh{1, 70, 9, 4}, added{1, 70, 9, 4};
    CpuContext cpu;

    run(cpu, fresh.backward());
    run(cpu, added.backward(true));

    for (std::size_t i = 0; i < fresh.dx.size(); ++i) { EXPECT_NEAR(added.dx[i], fresh.dx[i] + 2, 1e-5); }
    for (std::size_t i = 0; i < fresh.dweight.size(); ++i) {
        EXPECT_NEAR(added.dweight[i], fresh.dweight[i] + 3, 1e-5 * (3 + std::abs(fresh.dweight[i])));
    }
}

TEST(ShortConvolution, GradientsNobodyNeedsAreLeftOut) {
    ConvolutionCase<float> all{1, 70, 9, 4}, some{1, 70, 9, 4};
    CpuContext cpu;
    run(cpu, all.backward());
    auto only_dx = some.backward();
    only_dx.dweight = {};

    run(cpu, only_dx);

    EXPECT_EQ(some.dx, all.dx);
    EXPECT_EQ(some.dweight, std::vector<float>(36, 3));
}

TEST(ShortConvolution, StepsEqualTheWholeSequence) {
    for_each_target([] {
        for (std::size_t taps = 1; taps <= 8; ++taps) {
            ConvolutionCase<double> c{1, 11, 21, taps};
            std::vector<double> past((taps - 1) * 21, 0.0), y(c.y.size());
            CpuContext cpu;

            for (std::size_t t = 0; t < 11; ++t) {
                run(cpu, ShortConvolutionStep<double>{21, taps, std::span{c.x}.subspan(t * 21, 21), c.weight, past,
                                                      std::span{y}.subspan(t * 21, 21)});
            }

            expect_near_all(y, c.expected(), 2 * static_cast<double>(taps) + 8, "y");
        }
    });
}

TEST(ShortConvolution, PackedDocumentsEqualEachAlone) {
    ConvolutionCase<double> packed{1, 50, 6, 4};
    for (std::int32_t t = 0; t < 50; ++t) { packed.document_start.push_back(t < 20 ? 0 : 20); }
    ConvolutionCase<double> first{1, 20, 6, 4}, second{1, 30, 6, 4};
    std::copy(packed.x.begin() + 120, packed.x.end(), second.x.begin());
    std::copy(packed.dy.begin() + 120, packed.dy.end(), second.dy.begin());
    CpuContext cpu;

    for (auto* c : {&packed, &first, &second}) {
        run(cpu, c->forward());
        run(cpu, c->backward());
    }

    EXPECT_TRUE(std::equal(first.y.begin(), first.y.end(), packed.y.begin()));
    EXPECT_TRUE(std::equal(second.y.begin(), second.y.end(), packed.y.begin() + 120));
    EXPECT_TRUE(std::equal(first.dx.begin(), first.dx.end(), packed.dx.begin()));
    EXPECT_TRUE(std::equal(second.dx.begin(), second.dx.end(), packed.dx.begin() + 120));
    for (std::size_t i = 0; i < packed.dweight.size(); ++i) {
        EXPECT_NEAR(packed.dweight[i], first.dweight[i] + second.dweight[i], 1e-13);
    }
}

TEST(ShortConvolution, IsBitwiseEqualForAnyNumberOfThreads) {
    ConvolutionCase<float> one{2, 200, 70, 4}, two = one, three = one;
    CpuContext cpu1{1}, cpu2{2}, cpu3{3};

    run(cpu1, one.forward());
    run(cpu1, one.backward());
    run(cpu2, two.forward());
    run(cpu2, two.backward());
    run(cpu3, three.forward());
    run(cpu3, three.backward());

    for (const auto* other : {&two, &three}) {
        EXPECT_EQ(one.y, other->y);
        EXPECT_EQ(one.dx, other->dx);
        EXPECT_EQ(one.dweight, other->dweight);
    }
}

TEST(ShortConvolution, IsElementwiseWorkAndNoModelFlops) {
    ConvolutionCase<float> c{1, 10, 6, 4};

    EXPECT_EQ(cost(c.forward()).model_flops, 0);
    EXPECT_EQ(cost(c.backward()).model_flops, 0);
    EXPECT_EQ(cost(c.forward()).hardware_flops, 60 * (2 * 4 + 4));
    EXPECT_EQ(cost(c.forward()).bytes_read, 4 * (60 + 24));
}

}  // namespace
}  // namespace loglog
