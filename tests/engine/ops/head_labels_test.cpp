#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/base/random.hpp"
#include "engine/ops/head_loss.hpp"

namespace loglog {
namespace {

constexpr std::int64_t rows = 9;
constexpr std::int64_t width = 4;
constexpr std::int64_t vocab = 6;

struct Case {
    std::vector<float> h = std::vector<float>(rows * width);
    std::vector<float> weight = std::vector<float>(vocab * width);

    Case() {
        const Random random{Seed{5}, Stream::init};
        for (std::size_t i = 0; i < h.size(); ++i) { h[i] = static_cast<float>(random.normal(i)); }
        for (std::size_t i = 0; i < weight.size(); ++i) { weight[i] = static_cast<float>(random.normal(1'000 + i)); }
    }

    Tensor input(Tape& tape) const { return tensor(tape, h, Shape{rows, width}); }
    Tensor table(Tape& tape) const { return tensor(tape, weight, Shape{vocab, width}); }

  private:
    static Tensor tensor(Tape& tape, const std::vector<float>& values, const Shape& shape) {
        const Tensor x = tape.empty(shape, DType::float32);
        std::copy(values.begin(), values.end(), x.values<float>().begin());
        return x;
    }
};

/// Losses, then correct ones, of an evaluation.
std::vector<float> evaluated(const std::vector<std::int32_t>& targets, const Case& values, const VocabCut& cut = {}) {
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::evaluate};
    const auto loss = head_loss(tape, values.input(tape), values.table(tape), targets, {.cut = cut});
    std::vector<float> result(loss.token_losses.values<float>().begin(), loss.token_losses.values<float>().end());
    result.insert(result.end(), loss.correct.values<float>().begin(), loss.correct.values<float>().end());
    return result;
}

TEST(HeadLabels, RowsWithoutTargetChangeNothingInTheOthers) {
    const Case values;
    const std::vector<std::int32_t> all{0, 1, 2, 3, 4, 5, 0, 1, 2};
    auto some = all;
    for (const std::size_t row : {0u, 3u, 4u, 8u}) { some[row] = -1; }

    const auto full = evaluated(all, values);
    const auto part = evaluated(some, values);

    for (std::size_t row = 0; row < rows; ++row) {
        EXPECT_EQ(part[row], some[row] == -1 ? 0 : full[row]);
        EXPECT_EQ(part[rows + row], some[row] == -1 ? 0 : full[rows + row]);
    }
}

TEST(HeadLabels, GradientsWithoutAnyTargetAreZero) {
    const Case values;
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
    const Tensor h = values.input(tape);
    const Tensor weight = values.table(tape);

    const auto loss = head_loss(tape, h, weight, std::vector<std::int32_t>(rows, -1), {});

    EXPECT_TRUE(std::ranges::all_of(loss.token_losses.values<float>(), [](float x) { return x == 0; }));
    EXPECT_TRUE(std::ranges::all_of(tape.collected<float>(h), [](float x) { return x == 0; }));
    EXPECT_TRUE(std::ranges::all_of(tape.collected<float>(weight), [](float x) { return x == 0; }));
}

TEST(HeadLabels, OnlyTheFirstOfEqualLogitsIsCorrect) {
    Case values;
    std::fill(values.weight.begin(), values.weight.end(), 0.0F);
    for (std::size_t i = 0; i < width; ++i) {
        values.weight[2 * width + i] = values.h[i];  // tokens 2 and 4 have the first row's largest logit
        values.weight[4 * width + i] = values.h[i];
    }
    for (std::int32_t row = 1; row < rows; ++row) {
        std::copy_n(values.h.begin(), width, values.h.begin() + row * width);
    }
    const std::vector<std::int32_t> targets{0, 1, 2, 3, 4, 5, -1, 2, 4};
    const std::vector<float> expected{0, 0, 1, 0, 0, 0, 0, 1, 0};

    const auto whole = evaluated(targets, values);
    const auto cut = evaluated(targets, values, {.vocab = vocab, .leaf_rows = 3, .leaf_count = 2});

    EXPECT_EQ(std::vector<float>(whole.begin() + rows, whole.end()), expected);
    EXPECT_EQ(std::vector<float>(cut.begin() + rows, cut.end()), expected);
}

}  // namespace
}  // namespace loglog
