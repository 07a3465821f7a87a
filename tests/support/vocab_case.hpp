#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/autograd/tape.hpp"
#include "engine/base/random.hpp"
#include "engine/ops/embedding.hpp"
#include "engine/ops/head_loss.hpp"

namespace loglog::testing {

/// A tensor's values and gradient, owned by a test.
template <class T>
struct OwnedTensor {
    Shape shape;
    std::vector<T> values;
    std::vector<T> gradient;
    Gradient slot;

    OwnedTensor(const Shape& s, std::vector<T> v) : shape{s}, values{std::move(v)}, gradient(values.size()) {}
    Tensor tensor() {
        slot.data = reinterpret_cast<std::byte*>(gradient.data());
        return {reinterpret_cast<std::byte*>(values.data()), shape, dtype_of<T>, &slot};
    }
};

/// A vocabulary in `leaves` pieces over `ranks` ranks, of which this is `rank`.
struct VocabSpread {
    std::int64_t vocab;
    std::int64_t leaves = 1;
    Group* group = nullptr;
    bool sequence_parallel = false;  ///< rows of the embedding's result, and of the head's input, are cut among ranks

    std::int64_t ranks() const { return group == nullptr ? 1 : group->size(); }
    std::int64_t rank() const { return group == nullptr ? 0 : group->rank(); }
    std::int64_t leaf_rows() const { return (vocab + leaves - 1) / leaves; }
    std::int64_t padded() const { return leaf_rows() * leaves; }
    VocabCut cut() const {
        return {.vocab = vocab,
                .leaf_rows = leaf_rows(),
                .first_leaf = rank() * (leaves / ranks()),
                .leaf_count = leaves / ranks(),
                .group = group,
                .scatter_rows = sequence_parallel,
                .input_gathered = sequence_parallel};
    }
};

template <class T>
std::vector<T> normal_values(std::int64_t count, std::uint64_t seed, double scale = 1) {
    const Random random{Seed{seed}, Stream::synthetic_data};
    std::vector<T> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i) { values[i] = static_cast<T>(scale * random.normal(i)); }
    return values;
}

/// Ids in [lowest, vocab).
inline std::vector<std::int32_t> random_ids(std::int64_t count, std::int64_t lowest, std::int64_t vocab,
                                            std::uint64_t seed) {
    const Random random{Seed{seed}, Stream::data_order};
    std::vector<std::int32_t> ids(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < ids.size(); ++i) {
        ids[i] = static_cast<std::int32_t>(lowest + random.block(i)[0] % (vocab - lowest));
    }
    return ids;
}

/// This rank's rows of a table [vocab, width]; rows of padding hold 50, which must not be seen in any result.
template <class T>
OwnedTensor<T> local_table(const std::vector<T>& table, const VocabSpread& spread, std::int64_t width) {
    std::vector<T> padded = table;
    padded.resize(static_cast<std::size_t>(spread.padded() * width), T{50});
    const auto cut = spread.cut();
    const auto first = padded.begin() + cut.first_token() * width;
    return {Shape{cut.local_rows(), width}, std::vector<T>(first, first + cut.local_rows() * width)};
}

/// The part of a gradient [vocab, width] that belongs to this rank's rows, zeros for padding.
template <class T>
std::vector<T> local_rows_of(const std::vector<T>& gradient, const VocabSpread& spread, std::int64_t width) {
    std::vector<T> padded = gradient;
    padded.resize(static_cast<std::size_t>(spread.padded() * width), T{0});
    const auto cut = spread.cut();
    const auto first = padded.begin() + cut.first_token() * width;
    return std::vector<T>(first, first + cut.local_rows() * width);
}

template <class T>
struct HeadCase {
    std::int64_t width;
    std::vector<T> h;      // [rows, width]
    std::vector<T> table;  // [vocab, width]
    std::vector<std::int32_t> targets;
    double logit_scale = 1;
    double z_loss = 0;

    std::int64_t rows() const { return static_cast<std::int64_t>(targets.size()); }
};

template <class T>
HeadCase<T> random_head_case(std::int64_t rows, std::int64_t width, std::int64_t vocab) {
    return {.width = width,
            .h = normal_values<T>(rows * width, 1),
            .table = normal_values<T>(vocab * width, 2),
            .targets = random_ids(rows, -1, vocab, 3),
            .logit_scale = 0.75,
            .z_loss = 1e-2};
}

template <class T>
struct HeadResult {
    std::vector<T> losses;
    std::vector<T> log_z;
    std::vector<T> d_h;
    std::vector<T> d_table;  // this rank's rows
};

/// The objective is the mean over rows. Not cut at all with spread.leaves == 1 and no group.
template <class T>
HeadResult<T> run_head(const HeadCase<T>& c, const VocabSpread& spread, int threads = 1, Mode mode = Mode::train) {
    OwnedTensor<T> h{Shape{c.rows(), c.width}, c.h};
    auto table = local_table(c.table, spread, c.width);
    Context context{CpuContext{threads}};
    Arena arena;
    Tape tape{context, arena, mode};
    const bool is_cut = spread.leaves > 1 || spread.group != nullptr;
    const auto out = head_loss(tape, h.tensor(), table.tensor(), c.targets,
                               {.logit_scale = c.logit_scale,
                                .z_loss = c.z_loss,
                                .gradient_scale = 1.0 / static_cast<double>(c.rows()),
                                .cut = is_cut ? spread.cut() : VocabCut{}});
    const auto copy = [](const Tensor& x) { return std::vector<T>(x.values<T>().begin(), x.values<T>().end()); };
    return {copy(out.token_losses), copy(out.log_z), h.gradient, table.gradient};
}

template <class T>
struct EmbeddingCase {
    std::int64_t width;
    std::int64_t time;
    std::vector<T> table;      // [vocab, width]
    std::vector<T> positions;  // [time, width] or empty
    std::vector<std::int32_t> tokens;
    std::vector<T> dy;  // [tokens, width]
    double scale = 1;

    std::int64_t rows() const { return static_cast<std::int64_t>(tokens.size()); }
};

template <class T>
EmbeddingCase<T> random_embedding_case(std::int64_t rows, std::int64_t time, std::int64_t width, std::int64_t vocab,
                                       bool positioned) {
    EmbeddingCase<T> c{.width = width,
                       .time = time,
                       .table = normal_values<T>(vocab * width, 4),
                       .positions = positioned ? normal_values<T>(time * width, 5) : std::vector<T>{},
                       .tokens = random_ids(rows, 0, vocab, 6),
                       .dy = normal_values<T>(rows * width, 7),
                       .scale = 1.5};
    for (std::size_t i = 0; i < c.table.size(); i += 3) { c.table[i] = -T{0}; }
    return c;
}

template <class T>
struct EmbeddingResult {
    std::vector<T> y;            // this rank's rows
    std::vector<T> d_table;      // this rank's rows
    std::vector<T> d_positions;  // from this rank's rows of y
};

template <class T>
EmbeddingResult<T> run_embedding(const EmbeddingCase<T>& c, const VocabSpread& spread) {
    auto table = local_table(c.table, spread, c.width);
    OwnedTensor<T> positions{Shape{c.positions.empty() ? 0 : c.time, c.width}, c.positions};
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
    const bool is_cut = spread.leaves > 1 || spread.group != nullptr;
    const Tensor y = embedding(tape, c.tokens, table.tensor(), c.positions.empty() ? Tensor{} : positions.tensor(),
                               {.time = c.time, .scale = c.scale, .cut = is_cut ? spread.cut() : VocabCut{}});
    EmbeddingResult<T> result;
    result.y.assign(y.values<T>().begin(), y.values<T>().end());
    const auto target = tape.gradient_of<T>(y);
    const std::int64_t first = spread.sequence_parallel ? spread.rank() * y.shape.elements() : 0;
    std::copy_n(c.dy.begin() + first, target.values.size(), target.values.begin());
    tape.backward();
    result.d_table = table.gradient;
    result.d_positions = positions.gradient;
    return result;
}

/// Whether two sequences have the same bits, so that -0 and 0 differ and equal NaNs do not.
template <class T>
::testing::AssertionResult same_bits(const std::vector<T>& actual, const std::vector<T>& expected) {
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    if (actual.size() != expected.size()) {
        return ::testing::AssertionFailure() << actual.size() << " values instead of " << expected.size();
    }
    for (std::size_t i = 0; i < actual.size(); ++i) {
        if (std::bit_cast<Bits>(actual[i]) != std::bit_cast<Bits>(expected[i])) {
            return ::testing::AssertionFailure() << "[" << i << "] is " << actual[i] << ", not " << expected[i];
        }
    }
    return ::testing::AssertionSuccess();
}

/// |actual - expected| <= tolerance * max(1, largest |expected|)
template <class T>
::testing::AssertionResult all_near(const std::vector<T>& actual, const std::vector<T>& expected, double tolerance) {
    if (actual.size() != expected.size()) {
        return ::testing::AssertionFailure() << actual.size() << " values instead of " << expected.size();
    }
    double largest = 1;
    for (const T value : expected) { largest = std::max(largest, std::abs(static_cast<double>(value))); }
    for (std::size_t i = 0; i < actual.size(); ++i) {
        const double error = std::abs(static_cast<double>(actual[i]) - static_cast<double>(expected[i]));
        if (!(error <= tolerance * largest)) {
            return ::testing::AssertionFailure() << "[" << i << "] is " << actual[i] << ", not " << expected[i];
        }
    }
    return ::testing::AssertionSuccess();
}

/// Four rows over eight tokens with logits 3 sin(0.7 n + 1.1 v): h is the identity, so the table's gradient is the
/// logits', transposed.
inline HeadCase<double> sine_case() {
    HeadCase<double> c{.width = 4, .h = std::vector<double>(16), .table = {}, .targets = {1, 6, 3, 7}, .z_loss = 1e-4};
    for (std::size_t n = 0; n < 4; ++n) { c.h[n * 4 + n] = 1; }
    for (int v = 0; v < 8; ++v) {
        for (int n = 0; n < 4; ++n) { c.table.push_back(3 * std::sin(0.7 * n + 1.1 * v)); }
    }
    return c;
}

/// Compares with values computed in NumPy, which are given to 12 places, and with the uncut loss.
///
/// All cuts add the same eight exponentials, in trees of three levels: relative errors of at most 3 u each, u = 2^-53.
/// So two sums differ by 6 u at most, their logarithms, of size up to 2.1 and good to 2 u, by 10 u, and the losses by
/// that and one unit in their last place. A gradient is 1/4 (p (1 + ..) - 1): its product has five roundings more on
/// each side, and the difference one.
inline void expect_sine_results(const HeadResult<double>& actual, const VocabSpread& spread) {
    constexpr double u = 0x1p-53;
    const std::vector<double> losses{1.229006324130, 1.442869818792, 6.980245277783, 4.839877085422};
    const std::vector<double> log_z{3.902628404315, 3.994179680677, 3.980475505091, 3.740439697666};
    const auto whole = run_head(sine_case(), {.vocab = 8});
    const auto d_table = local_rows_of(whole.d_table, spread, 4);
    for (std::size_t n = 0; n < 4; ++n) {
        EXPECT_NEAR(actual.losses[n], losses[n], 1e-12);
        EXPECT_NEAR(actual.log_z[n], log_z[n], 1e-12);
        const double unit = std::nextafter(whole.losses[n], 1e9) - whole.losses[n];
        EXPECT_NEAR(actual.losses[n], whole.losses[n], 10 * u + unit);
        EXPECT_NEAR(actual.log_z[n], whole.log_z[n], 10 * u + 4 * u);
    }
    ASSERT_EQ(actual.d_table.size(), d_table.size());
    for (std::size_t i = 0; i < d_table.size(); ++i) {
        EXPECT_NEAR(actual.d_table[i], d_table[i], 0.25 * (6 + 2 * 5 + 2) * u);
    }
    ASSERT_EQ(actual.d_h.size(), whole.d_h.size());
    // Four products of a gradient and a logit of at most 3, added up in some order.
    for (std::size_t i = 0; i < actual.d_h.size(); ++i) {
        EXPECT_NEAR(actual.d_h[i], whole.d_h[i], 8 * 3 * (0.25 * 18 + 2) * u);
    }
}

}  // namespace loglog::testing
