#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "engine/ops/activation.hpp"
#include "engine/ops/linear.hpp"
#include "engine/ops/row_linear.hpp"
#include "tests/support/vocab_case.hpp"

namespace loglog::testing {

/// Leaves of a layer over the ranks of `group`, or all on one rank.
struct LeafSpread {
    std::int64_t leaves = 1;  ///< 0: nothing is cut
    Group* group = nullptr;
    bool sequence_parallel = false;

    std::int64_t ranks() const { return group == nullptr ? 1 : group->size(); }
    std::int64_t rank() const { return group == nullptr ? 0 : group->rank(); }
    bool is_cut() const { return leaves > 0; }
    std::int64_t leaf_count() const { return std::max<std::int64_t>(leaves, 1) / ranks(); }
    std::int64_t first_leaf() const { return rank() * leaf_count(); }
    ColumnCut columns(std::array<std::int64_t, 6> rows_per_leaf, std::int64_t blocks) const {
        if (!is_cut()) { return {}; }
        return {.leaf_count = leaf_count(),
                .rows_per_leaf = rows_per_leaf,
                .blocks = blocks,
                .group = sequence_parallel ? nullptr : group};
    }
    RowCut rows() const { return {.leaf_count = leaf_count(), .group = group, .scatter_rows = sequence_parallel}; }
};

/// This rank's rows of a matrix whose rows are blocks of `leaves` times rows_per_leaf.
template <class T>
std::vector<T> cut_rows(const std::vector<T>& whole, std::int64_t columns, const LeafSpread& spread,
                        const std::vector<std::int64_t>& rows_per_leaf) {
    std::vector<T> result;
    std::int64_t start = 0;
    for (const std::int64_t rows : rows_per_leaf) {
        const auto first = whole.begin() + (start + spread.first_leaf() * rows) * columns;
        result.insert(result.end(), first, first + spread.leaf_count() * rows * columns);
        start += std::max<std::int64_t>(spread.leaves, 1) * rows;
    }
    return result;
}

/// This rank's columns.
template <class T>
std::vector<T> cut_columns(const std::vector<T>& whole, std::int64_t columns, const LeafSpread& spread) {
    std::vector<T> result;
    const std::int64_t mine = columns / spread.ranks();
    for (auto row = whole.begin(); row != whole.end(); row += columns) {
        result.insert(result.end(), row + spread.rank() * mine, row + (spread.rank() + 1) * mine);
    }
    return result;
}

/// This rank's rows of activations that are cut among ranks.
template <class T>
std::vector<T> part_of(const std::vector<T>& whole, const LeafSpread& spread) {
    if (!spread.sequence_parallel) { return whole; }
    const auto size = static_cast<std::ptrdiff_t>(whole.size()) / spread.ranks();
    return {whole.begin() + spread.rank() * size, whole.begin() + (spread.rank() + 1) * size};
}

enum class MlpForm : std::uint8_t { swiglu, gelu };
enum class Steps : std::uint8_t { together, split };

/// What a rank has of one MLP's values and gradients.
template <class T>
struct MlpResult {
    std::vector<T> y;     // its rows
    std::vector<T> d_x;   // its rows
    std::vector<T> d_up;  // its rows of the weight
    std::vector<T> d_up_bias;
    std::vector<T> d_down;  // its columns of the weight
    std::vector<T> d_bias;  // from its rows
};

struct MlpSizes {
    std::int64_t rows;
    std::int64_t width;
    std::int64_t hidden;
};

/// y = x + 0.5 (down (act (up x + b)) + c), and x is read once more afterwards, so that its gradient already has
/// something when up's backward pass adds to it.
template <class T>
class MlpCase {
  public:
    MlpCase(MlpForm form, const MlpSizes& sizes)
        : form_{form},
          sizes_{sizes},
          blocks_{form == MlpForm::swiglu ? 2 : 1},
          x_{normal_values<T>(sizes.rows * sizes.width, 1)},
          up_{normal_values<T>(blocks_ * sizes.hidden * sizes.width, 2, 0.3)},
          up_bias_{normal_values<T>(blocks_ * sizes.hidden, 3)},
          down_{normal_values<T>(sizes.width * sizes.hidden, 4, 0.3)},
          bias_{normal_values<T>(sizes.width, 5)},
          dy_{normal_values<T>(sizes.rows * sizes.width, 6)} {}

    MlpResult<T> run(const LeafSpread& spread, Steps steps = Steps::together) const {
        OwnedTensor<T> x{Shape{sizes_.rows / (spread.sequence_parallel ? spread.ranks() : 1), sizes_.width},
                         part_of(x_, spread)};
        OwnedTensor<T> up{Shape{blocks_ * hidden(spread), sizes_.width},
                          cut_rows(up_, sizes_.width, spread, rows_per_leaf(spread))};
        OwnedTensor<T> up_bias{Shape{blocks_ * hidden(spread)}, cut_rows(up_bias_, 1, spread, rows_per_leaf(spread))};
        OwnedTensor<T> down{Shape{sizes_.width, hidden(spread)}, cut_columns(down_, sizes_.hidden, spread)};
        OwnedTensor<T> bias{Shape{sizes_.width}, bias_};
        Context context{CpuContext{1}};
        Arena arena;
        Tape tape{context, arena, Mode::train};

        const Tensor y = forward(tape, x.tensor(), up.tensor(), up_bias.tensor(), down.tensor(), bias.tensor(), spread);
        MlpResult<T> result;
        result.y.assign(y.values<T>().begin(), y.values<T>().end());
        std::ranges::copy(part_of(dy_, spread), tape.gradient_of<T>(y).values.begin());
        if (steps == Steps::together) {
            tape.backward();
        } else {
            tape.backward_inputs();
            tape.backward_weights();
        }
        result.d_x = x.gradient;
        result.d_up = up.gradient;
        result.d_up_bias = up_bias.gradient;
        result.d_down = down.gradient;
        result.d_bias = bias.gradient;
        return result;
    }

    /// What a rank of `spread` has of the results of one rank with all leaves.
    MlpResult<T> part(const MlpResult<T>& whole, const LeafSpread& spread) const {
        return {.y = part_of(whole.y, spread),
                .d_x = part_of(whole.d_x, spread),
                .d_up = cut_rows(whole.d_up, sizes_.width, spread, rows_per_leaf(spread)),
                .d_up_bias = cut_rows(whole.d_up_bias, 1, spread, rows_per_leaf(spread)),
                .d_down = cut_columns(whole.d_down, sizes_.hidden, spread),
                .d_bias = whole.d_bias};
    }

  private:
    std::int64_t hidden(const LeafSpread& spread) const { return sizes_.hidden / spread.ranks(); }
    std::vector<std::int64_t> rows_per_leaf(const LeafSpread& spread) const {
        const std::int64_t rows = sizes_.hidden / std::max<std::int64_t>(spread.leaves, 1);
        return std::vector<std::int64_t>(static_cast<std::size_t>(blocks_), rows);
    }

    Tensor forward(Tape& tape, const Tensor& x, const Tensor& up, const Tensor& up_bias, const Tensor& down,
                   const Tensor& bias, const LeafSpread& spread) const {
        const std::int64_t rows = sizes_.hidden / std::max<std::int64_t>(spread.leaves, 1);
        const ColumnCut cut = spread.columns({rows, rows, 0}, blocks_);
        const Tensor input = spread.sequence_parallel ? gather_rows(tape, x, *spread.group) : x;
        if (form_ == MlpForm::gelu) {
            const auto hidden = linear_activated(tape, input, up, up_bias, Activation::gelu, cut);
            if (!spread.is_cut()) {
                return linear(tape, hidden, down, {.bias = bias, .residual = x, .residual_scale = 0.5});
            }
            return bias_residual(tape, row_linear(tape, hidden, down, spread.rows()), bias, x, 0.5);
        }
        const Tensor hidden = swiglu(tape, linear(tape, input, up, {.bias = up_bias, .cut = cut}));
        if (!spread.is_cut()) {
            return linear(tape, hidden, down, {.bias = bias, .residual = x, .residual_scale = 0.5});
        }
        return bias_residual(tape, row_linear(tape, hidden, down, spread.rows()), bias, x, 0.5);
    }

    MlpForm form_;
    MlpSizes sizes_;
    std::int64_t blocks_;
    std::vector<T> x_, up_, up_bias_, down_, bias_, dy_;
};

/// Sequence-parallel ranks have partial gradients of the bias: those are the caller's to add up.
template <class T>
void expect_same_bits(const MlpResult<T>& actual, const MlpResult<T>& expected) {
    EXPECT_TRUE(same_bits(actual.y, expected.y)) << "y";
    EXPECT_TRUE(same_bits(actual.d_x, expected.d_x)) << "d x";
    EXPECT_TRUE(same_bits(actual.d_up, expected.d_up)) << "d up";
    EXPECT_TRUE(same_bits(actual.d_up_bias, expected.d_up_bias)) << "d up bias";
    EXPECT_TRUE(same_bits(actual.d_down, expected.d_down)) << "d down";
    EXPECT_TRUE(same_bits(actual.d_bias, expected.d_bias)) << "d bias";
}

template <class T>
void expect_near(const MlpResult<T>& actual, const MlpResult<T>& expected, double tolerance) {
    EXPECT_TRUE(all_near(actual.y, expected.y, tolerance)) << "y";
    EXPECT_TRUE(all_near(actual.d_x, expected.d_x, tolerance)) << "d x";
    EXPECT_TRUE(all_near(actual.d_up, expected.d_up, tolerance)) << "d up";
    EXPECT_TRUE(all_near(actual.d_up_bias, expected.d_up_bias, tolerance)) << "d up bias";
    EXPECT_TRUE(all_near(actual.d_down, expected.d_down, tolerance)) << "d down";
    EXPECT_TRUE(all_near(actual.d_bias, expected.d_bias, tolerance)) << "d bias";
}

}  // namespace loglog::testing
