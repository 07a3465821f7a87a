#include "engine/kernels/cut_cross_entropy.hpp"

#include <algorithm>
#include <limits>

#include "engine/kernels/cross_entropy.hpp"
#include "tests/engine/kernels/compare.hpp"
#include "tests/engine/kernels/each_target.hpp"
#include "tests/engine/kernels/random_values.hpp"

namespace loglog {
namespace {

/// Rows of logits over `vocab` tokens, cut into leaves that are spread over `ranks` imagined ranks.
template <class T>
struct CutCase {
    std::size_t rows, vocab, leaves, ranks;
    std::size_t leaf_columns = (vocab + leaves - 1) / leaves;
    std::vector<T> whole = random_values<T>(rows * vocab, 1);
    std::vector<std::int32_t> targets = {};
    std::vector<std::vector<T>> parts = {};  // of each rank
    std::vector<T> largest = std::vector<T>(rows, -std::numeric_limits<T>::infinity());
    std::vector<T> sums = std::vector<T>(2 * rows);
    std::vector<T> loss = std::vector<T>(rows), log_z = std::vector<T>(rows);

    std::size_t columns() const { return leaf_columns * leaves / ranks; }

    /// Padding holds what must not be read.
    void prepare() {
        for (std::size_t r = 0; targets.size() < rows; ++r) {
            targets.push_back(static_cast<std::int32_t>(r * 7 % vocab));
        }
        for (std::size_t rank = 0; rank < ranks; ++rank) {
            auto& part = parts.emplace_back(rows * columns(), std::numeric_limits<T>::quiet_NaN());
            for (std::size_t r = 0; r < rows; ++r) {
                for (std::size_t c = 0; c < columns() && rank * columns() + c < vocab; ++c) {
                    part[r * columns() + c] = whole[r * vocab + rank * columns() + c];
                }
            }
        }
    }
    CutLogits<T> logits(std::size_t rank) {
        return {parts[rank], targets, leaf_columns, leaves / ranks, rank * columns(), vocab, T(0.5)};
    }
    void run_passes(T z_loss, T gradient_scale) {
        CpuContext cpu{2};
        std::vector<T> mine(2 * rows);
        for (std::size_t rank = 0; rank < ranks; ++rank) {
            run(cpu, CutLogitMaxima<T>{logits(rank), std::span{mine}.first(rows)});
            for (std::size_t r = 0; r < rows; ++r) { largest[r] = std::max(largest[r], mine[r]); }
        }
        for (std::size_t rank = 0; rank < ranks; ++rank) {
            run(cpu, CutLogitSums<T>{logits(rank), largest, mine, gradient_scale != 0});
            for (std::size_t i = 0; i < 2 * rows; ++i) { sums[i] += mine[i]; }
        }
        for (std::size_t rank = 0; rank < ranks; ++rank) {
            run(cpu, CutCrossEntropy<T>{logits(rank), largest, sums, loss, log_z, z_loss, gradient_scale});
        }
    }
    /// What the uncut kernel makes of the same logits.
    std::vector<double> whole_gradient(T z_loss, T gradient_scale, std::vector<double>& whole_loss) {
        CpuContext cpu;
        std::vector<T> whole_losses(rows), ignored(rows);
        run(cpu, CrossEntropy<T>{whole, targets, whole_losses, ignored, vocab, T(0.5), z_loss, gradient_scale});
        whole_loss.assign(whole_losses.begin(), whole_losses.end());
        return {whole.begin(), whole.end()};
    }
    std::vector<T> gradient() const {
        std::vector<T> all;
        for (std::size_t r = 0; r < rows; ++r) {
            for (std::size_t v = 0; v < vocab; ++v) {
                all.push_back(parts[v / columns()][r * columns() + v % columns()]);
            }
        }
        return all;
    }
};

template <class T>
void expect_uncut_results(std::size_t rows, std::size_t vocab, std::size_t leaves, std::size_t ranks) {
    CutCase<T> c{rows, vocab, leaves, ranks};
    c.prepare();

    c.run_passes(T(1e-2), T(0.25));

    std::vector<double> loss;
    const auto gradient = c.whole_gradient(T(1e-2), T(0.25), loss);
    expect_near_all(c.loss, loss, 16, "loss");
    expect_near_all(c.gradient(), gradient, 16, "gradient");
    for (std::size_t rank = 0; rank < ranks; ++rank) {
        for (std::size_t column = 0; column < c.columns(); ++column) {
            if (rank * c.columns() + column >= vocab) { EXPECT_EQ(c.parts[rank][column], 0) << "padding"; }
        }
    }
}

TEST(CutCrossEntropy, EqualsTheUncutKernelForAnySpreadOfLeaves) {
    for_each_target([] {
        for (const std::size_t vocab : {1u, 7u, 19u, 33u, 1001u}) {
            for (const std::size_t ranks : {1u, 2u, 4u, 8u}) {
                expect_uncut_results<float>(3, vocab, 8, ranks);
                expect_uncut_results<double>(3, vocab, 8, ranks);
            }
        }
        expect_uncut_results<float>(0, 8, 4, 1);
        expect_uncut_results<float>(5, 100, 3, 1);
    });
}

// The tree over leaves goes on across ranks: 8 sums on one rank have the bits of 4 + 4 and of (2 + 2) + (2 + 2).
TEST(CutCrossEntropy, SumsAreTheSameBitsForTwoRanksAsForOne) {
    for_each_target([] {
        CutCase<float> one{5, 1000, 8, 1}, two{5, 1000, 8, 2};
        one.prepare();
        two.prepare();

        one.run_passes(0, 1);
        two.run_passes(0, 1);

        EXPECT_EQ(one.sums, two.sums);
        EXPECT_EQ(one.loss, two.loss);
        EXPECT_EQ(one.gradient(), two.gradient());
    });
}

TEST(CutCrossEntropy, HasNoLargestLogitWhereARankHasPaddingOnly) {
    CutCase<float> c{2, 3, 4, 4};  // the last rank's one column is padding
    c.prepare();
    std::vector<float> largest(2);
    CpuContext cpu;

    run(cpu, CutLogitMaxima<float>{c.logits(3), largest});

    EXPECT_EQ(largest[0], -std::numeric_limits<float>::infinity());
}

TEST(CutCrossEntropy, GivesIgnoredTargetsNoLossAndNoGradient) {
    CutCase<float> c{3, 20, 4, 2};
    c.targets = {3, -1, 19};
    c.whole[25] = std::numeric_limits<float>::quiet_NaN();
    c.prepare();

    c.run_passes(0, 1);

    EXPECT_EQ(c.loss[1], 0);
    EXPECT_EQ(c.log_z[1], 0);
    const auto gradient = c.gradient();
    for (std::size_t v = 20; v < 40; ++v) { EXPECT_EQ(gradient[v], 0); }
    EXPECT_GT(c.loss[0], 0);
    EXPECT_GT(c.loss[2], 0);
}

TEST(CutCrossEntropy, StatesTheWorkOfItsThreePasses) {
    CutCase<float> c{4, 100, 4, 2};
    c.prepare();
    std::vector<float> rows(8);
    const double n = 4 * 50;

    const auto maxima = cost(CutLogitMaxima<float>{c.logits(0), std::span{rows}.first(4)});
    const auto sums = cost(CutLogitSums<float>{c.logits(0), c.largest, rows});
    const auto loss = cost(CutCrossEntropy<float>{c.logits(0), c.largest, rows, c.loss, c.log_z});

    EXPECT_EQ(maxima.hardware_flops, n);
    EXPECT_EQ(sums.hardware_flops, 5 * n + 2 * 4);
    EXPECT_EQ(loss.hardware_flops, n + 9 * 4);
    EXPECT_EQ(sums.bytes_written, 4 * (n + 2 * 4));
}

}  // namespace
}  // namespace loglog
