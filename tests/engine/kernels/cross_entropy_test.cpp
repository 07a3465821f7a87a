#include "engine/kernels/cross_entropy.hpp"

#include "tests/engine/kernels/compare.hpp"
#include "tests/engine/kernels/each_target.hpp"
#include "tests/engine/kernels/random_values.hpp"

namespace loglog {
namespace {

template <class T>
struct LossCase {
    std::size_t vocab;
    std::vector<T> logits;
    std::vector<std::int32_t> targets;
    std::vector<T> loss, log_z;

    LossCase(std::size_t rows, std::size_t v)
        : vocab{v}, logits(random_values<T>(rows * v, 1)), loss(rows), log_z(rows) {
        for (std::size_t r = 0; r < rows; ++r) { targets.push_back(static_cast<std::int32_t>(r * 7 % v)); }
        for (T& x : logits) { x *= 3; }
    }
    CrossEntropy<T> kernel(T z_loss = 0, T gradient_scale = 1) {
        return {logits, targets, loss, log_z, vocab, T(0.5), z_loss, gradient_scale};
    }
};

template <class T>
void expect_loss_and_gradient(std::size_t rows, std::size_t vocab) {
    LossCase<T> c{rows, vocab};
    const double z_loss = 1e-2, scale = 0.25;
    std::vector<double> loss(rows), log_z(rows), gradient(rows * vocab);
    for (std::size_t r = 0; r < rows; ++r) {
        double sum = 0;
        for (std::size_t v = 0; v < vocab; ++v) { sum += std::exp(0.5 * c.logits[r * vocab + v]); }
        log_z[r] = std::log(sum);
        const auto target = static_cast<std::size_t>(c.targets[r]);
        loss[r] = log_z[r] - 0.5 * c.logits[r * vocab + target];
        for (std::size_t v = 0; v < vocab; ++v) {
            const double p = std::exp(0.5 * c.logits[r * vocab + v]) / sum;
            gradient[r * vocab + v] = scale * 0.5 * (p * (1 + 2 * z_loss * log_z[r]) - (v == target ? 1.0 : 0.0));
        }
    }
    CpuContext cpu{2};

    run(cpu, c.kernel(static_cast<T>(z_loss), static_cast<T>(scale)));

    expect_near_all(c.loss, loss, 16, "loss");
    expect_near_all(c.log_z, log_z, 16, "log_z");
    expect_near_all(c.logits, gradient, 16, "gradient");
}

TEST(CrossEntropy, EqualsItsDefinition) {
    for_each_target([] {
        for (const std::size_t vocab : {1u, 2u, 15u, 33u, 512u, 1001u}) {
            expect_loss_and_gradient<float>(5, vocab);
            expect_loss_and_gradient<double>(3, vocab);
        }
        expect_loss_and_gradient<float>(0, 8);
    });
}

TEST(CrossEntropy, GivesTheSameLossWhenEvaluating) {
    LossCase<float> training{9, 300}, evaluating{9, 300};
    CpuContext cpu;

    run(cpu, training.kernel());
    run(cpu, evaluating.kernel(0, 0));

    EXPECT_EQ(training.loss, evaluating.loss);
    EXPECT_EQ(training.log_z, evaluating.log_z);
}

TEST(CrossEntropy, GivesIgnoredTargetsNoLossAndNoGradient) {
    LossCase<float> c{3, 20};
    c.targets[1] = -1;
    c.logits[25] = std::numeric_limits<float>::quiet_NaN();
    CpuContext cpu;

    run(cpu, c.kernel());

    EXPECT_EQ(c.loss[1], 0);
    for (std::size_t v = 20; v < 40; ++v) { EXPECT_EQ(c.logits[v], 0); }
    EXPECT_GT(c.loss[0], 0);
}

TEST(CrossEntropy, StaysFiniteForLargeLogits) {
    LossCase<float> c{1, 3};
    c.logits = {2000, 1000, -2000};
    c.targets = {1};
    CpuContext cpu;

    run(cpu, c.kernel());

    EXPECT_FLOAT_EQ(c.loss[0], 500);
    EXPECT_FLOAT_EQ(c.logits[0], 0.5);
    EXPECT_FLOAT_EQ(c.logits[1], -0.5);
}

template <class T>
void expect_broken_logit_to_show(T broken, std::size_t at) {
    LossCase<T> c{1, 70};
    c.logits[at] = broken;
    CpuContext cpu;

    run(cpu, c.kernel(0, 0));

    EXPECT_FALSE(std::isfinite(c.loss[0])) << broken << " at " << at;
}

TEST(CrossEntropy, ShowsNotANumberAndInfinityInTheLoss) {
    for_each_target([] {
        for (const std::size_t at : {0u, 1u, 31u, 63u, 69u}) {
            expect_broken_logit_to_show(std::numeric_limits<float>::quiet_NaN(), at);
            expect_broken_logit_to_show(std::numeric_limits<float>::infinity(), at);
            expect_broken_logit_to_show(std::numeric_limits<double>::quiet_NaN(), at);
            expect_broken_logit_to_show(std::numeric_limits<double>::infinity(), at);
        }
    });
}

}  // namespace
}  // namespace loglog
