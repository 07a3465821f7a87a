#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/ops/attention.hpp"
#include "tests/support/op_case.hpp"

namespace loglog::testing {
namespace {

constexpr std::int64_t heads = 2;
constexpr std::int64_t kv_heads = 1;
constexpr std::int64_t head_dim = 4;
constexpr std::int64_t time = 17;

/// q, k and v side by side in one leaf.
struct FusedLeaf {
    Leaves leaves{21};
    Tensor rows;

    explicit FusedLeaf(std::int64_t sequences = 2, std::int64_t tokens = time)
        : rows{leaves.add(Shape{sequences * tokens, (heads + 2 * kv_heads) * head_dim})} {}

    Heads q() const { return {rows, 0, heads}; }
    Heads k() const { return {rows, heads * head_dim, kv_heads}; }
    Heads v() const { return {rows, (heads + kv_heads) * head_dim, kv_heads}; }
    /// Gives token `to` the key of token `from`.
    void repeat_key(std::size_t from, std::size_t to) {
        const auto values = leaves.values(0);
        const auto row = static_cast<std::size_t>(rows.shape.back());
        const std::size_t at = static_cast<std::size_t>(heads * head_dim);
        std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(from * row + at), head_dim,
                    values.begin() + static_cast<std::ptrdiff_t>(to * row + at));
    }
};

AttentionOptions plain(std::int64_t tokens = time) {
    AttentionOptions options;
    options.time = tokens;
    options.head_dim = head_dim;
    options.scale = 0.5;
    return options;
}

void expect_gradients(FusedLeaf& leaf, const AttentionOptions& options) {
    check_op(
        leaf.leaves, [&](Tape& tape) { return attention(tape, leaf.q(), leaf.k(), leaf.v(), options); },
        [](std::size_t, const GradientReport& report) { EXPECT_TRUE(report.agrees) << report.worst; });
}

/// Sequences of three documents of 6, 1 and 10 tokens.
std::vector<std::int32_t> three_documents(std::int64_t sequences) {
    std::vector<std::int32_t> starts;
    for (std::int64_t i = 0; i < sequences; ++i) {
        for (std::int32_t t = 0; t < time; ++t) { starts.push_back(t < 6 ? 0 : t < 7 ? 6 : 7); }
    }
    return starts;
}

std::vector<AttentionMask> masks_of(std::int64_t tokens) {
    std::vector<AttentionMask> masks;
    masks.push_back(window_mask(tokens, 3, 0));
    masks.push_back(window_mask(tokens, 3, 1));
    masks.push_back(window_mask(tokens, 1, 0));
    masks.push_back(strided_mask(tokens, 3));
    masks.push_back(fixed_mask(tokens, 4, 1));
    masks.push_back(dilated_mask(tokens, 3, 2));
    masks.push_back(bigbird_mask(tokens, {2, 1, 1}, Seed{2}, 0, 0, heads));
    return masks;
}

TEST(SoftmaxAttentionGradient, MatchesCentralDifferencesWithMasks) {
    for (const auto& mask : masks_of(time)) {
        FusedLeaf leaf;
        leaf.repeat_key(3, 5);
        auto options = plain();
        options.mask = &mask;
        expect_gradients(leaf, options);
    }
}

TEST(SoftmaxAttentionGradient, MatchesCentralDifferencesWithDocuments) {
    FusedLeaf leaf;
    leaf.repeat_key(8, 9);
    const auto starts = three_documents(2);
    auto options = plain();
    options.document_start = starts;
    expect_gradients(leaf, options);
}

TEST(SoftmaxAttentionGradient, MatchesCentralDifferencesWithQueriesThatSeeNothing) {
    // The last tokens see the first two alone, which are of another document.
    std::string text;
    for (std::int64_t i = 0; i < time; ++i) { text += i < 12 ? "0-" + std::to_string(i) + "\n" : "0-1\n"; }
    const auto mask = pattern_mask(time, text);
    const auto starts = three_documents(2);
    FusedLeaf leaf;
    auto options = plain();
    options.mask = &mask;
    options.document_start = starts;
    options.dropout.probability = 0.2F;
    expect_gradients(leaf, options);
}

TEST(SoftmaxAttentionGradient, MatchesCentralDifferencesWithChosenBlocks) {
    FusedLeaf leaf;
    auto options = plain();
    options.moba = {.block = 3, .top_k = 2};
    expect_gradients(leaf, options);

    const auto starts = three_documents(2);
    options.document_start = starts;
    expect_gradients(leaf, options);
}

/// The op's result without gradients.
std::vector<double> values_of(const FusedLeaf& leaf, const AttentionOptions& options) {
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::evaluate};
    const auto out = attention(tape, leaf.q(), leaf.k(), leaf.v(), options).values<double>();
    return {out.begin(), out.end()};
}

TEST(SoftmaxAttention, OfAllBlocksIsDense) {
    const FusedLeaf leaf{1, 200};
    auto options = plain(200);
    const auto dense = values_of(leaf, options);
    options.moba = {.block = 16, .top_k = 13};

    EXPECT_EQ(values_of(leaf, options), dense);
}

TEST(SoftmaxAttention, ChoosesTheLowerOfTwoEqualBlocks) {
    FusedLeaf leaf{1, 6};
    leaf.repeat_key(0, 2);
    leaf.repeat_key(1, 3);
    auto options = plain(6);
    options.moba = {.block = 2, .top_k = 2};
    const auto chosen = values_of(leaf, options);
    const auto first_block = pattern_mask(6, "block 2\n0\n0 1\n0 2\n");
    options.moba = {};
    options.mask = &first_block;

    EXPECT_EQ(chosen, values_of(leaf, options));
}

TEST(SoftmaxAttention, ChoosesBlocksInADocumentAsItWouldAlone) {
    const FusedLeaf packed{1, 90};
    std::vector<std::int32_t> starts(90, 0);
    std::fill(starts.begin() + 37, starts.end(), 37);
    auto options = plain(90);
    options.moba = {.block = 8, .top_k = 3};
    options.document_start = starts;
    const auto together = values_of(packed, options);
    const Tensor& rows = packed.rows;
    FusedLeaf second{1, 53};
    std::copy_n(rows.values<double>().begin() + 37 * rows.shape.back(), 53 * rows.shape.back(),
                second.leaves.values(0).begin());
    options.document_start = {};
    options.time = 53;

    const auto alone = values_of(second, options);

    for (std::size_t i = 0; i < alone.size(); ++i) {
        EXPECT_NEAR(alone[i], together[37 * heads * head_dim + i], 1e-14);
    }
}

/// Every token by attention_step, with one cache.
std::vector<double> decoded(const FusedLeaf& leaf, std::int64_t tokens, const AttentionOptions& options) {
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::evaluate};
    std::vector<double> keys(static_cast<std::size_t>(tokens * kv_heads * head_dim)), values(keys.size()), result;
    const Shape shape{tokens, kv_heads, head_dim};
    const Tensor key_cache{reinterpret_cast<std::byte*>(keys.data()), shape, DType::float64, nullptr};
    const Tensor value_cache{reinterpret_cast<std::byte*>(values.data()), shape, DType::float64, nullptr};
    for (std::int64_t position = 0; position < tokens; ++position) {
        Tensor row = leaf.rows;
        row.shape = Shape{1, row.shape.back()};
        row.data += position * row.shape.back() * static_cast<std::int64_t>(sizeof(double));
        const Heads q{row, 0, heads};
        const Heads k{row, heads * head_dim, kv_heads};
        const Heads v{row, (heads + kv_heads) * head_dim, kv_heads};
        const auto out = attention_step(tape, q, k, v, options, key_cache, value_cache, position).values<double>();
        result.insert(result.end(), out.begin(), out.end());
    }
    return result;
}

TEST(AttentionStep, GivesWhatAttentionGivesAtThatRow) {
    constexpr std::int64_t tokens = 110;
    const FusedLeaf leaf{1, tokens};
    const auto expect_equal = [&](const AttentionOptions& options) {
        const auto expected = values_of(leaf, options);
        const auto actual = decoded(leaf, tokens, options);
        ASSERT_EQ(actual.size(), expected.size());
        for (std::size_t i = 0; i < actual.size(); ++i) { ASSERT_NEAR(actual[i], expected[i], 1e-13) << "at " << i; }
    };

    expect_equal(plain(tokens));
    for (const auto& mask : masks_of(tokens)) {
        SCOPED_TRACE(mask.visible_pairs(0, tokens));
        auto options = plain(tokens);
        options.mask = &mask;
        expect_equal(options);
    }
    auto options = plain(tokens);
    options.moba = {.block = 7, .top_k = 3};
    expect_equal(options);
}

/// Model FLOPs of a forward pass of 4 heads of 64 channels, per token.
double forward_flops(std::int64_t tokens, const AttentionMask* mask, AttentionOptions::BlockChoice moba = {}) {
    Context context{CountingContext{}};
    Arena arena{Backing::address_space};
    Tape tape{context, arena, Mode::evaluate};
    const Tensor rows = tape.empty(Shape{2 * tokens, 3 * 4 * 64}, DType::float32);
    AttentionOptions options;
    options.time = tokens;
    options.head_dim = 64;
    options.mask = mask;
    options.moba = moba;
    attention(tape, {rows, 0, 4}, {rows, 256, 4}, {rows, 512, 4}, options);
    return std::get<CountingContext>(context).total().model_flops / static_cast<double>(2 * tokens);
}

TEST(AttentionCost, IsThatOfTheVisiblePairs) {
    const auto window = window_mask(1024, 256, 0);
    const auto strided = strided_mask(1000, 100);

    EXPECT_DOUBLE_EQ(forward_flops(1024, nullptr), 524800);
    EXPECT_DOUBLE_EQ(forward_flops(1024, &window), 2.0 * 4 * 128 * (256 - 256.0 * 255 / (2 * 1024)));
    EXPECT_DOUBLE_EQ(forward_flops(1000, &strided),
                     2.0 * 4 * 128 * static_cast<double>(strided.visible_pairs(0, 1000)) / 1000);
}

TEST(AttentionCost, OfChosenBlocksCountsTheirScoresToo) {
    EXPECT_DOUBLE_EQ(forward_flops(1024, nullptr, {.block = 64, .top_k = 4}), 209152);
    EXPECT_NEAR(forward_flops(1000, nullptr, {.block = 64, .top_k = 4}), 207978.496, 1e-6);
}

TEST(SoftmaxAttention, RefusesAMaskThatIsTooShortOrForOtherHeads) {
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::evaluate};
    const FusedLeaf leaf;
    const auto message_of = [&](const AttentionOptions& options) -> std::string {
        try {
            attention(tape, leaf.q(), leaf.k(), leaf.v(), options);
        } catch (const ShapeError& error) { return error.what(); }
        return "none";
    };
    const auto shorter = window_mask(16, 3, 0);
    const auto for_others = bigbird_mask(time, {2, 1, 1}, Seed{1}, 0, 0, 3);
    const std::vector<std::int32_t> few(5);
    auto options = plain();

    options.mask = &shorter;
    EXPECT_THAT(message_of(options), ::testing::HasSubstr("'mask' is [1, 16] but must be [2, 17]"));
    options.mask = &for_others;
    EXPECT_THAT(message_of(options), ::testing::HasSubstr("'mask' is [3, 17] but must be [2, 17]"));
    options.mask = nullptr;
    options.document_start = few;
    EXPECT_THAT(message_of(options), ::testing::HasSubstr("'document_start' is [5] but must be [34]"));
    options.document_start = {};
    options.moba = {.block = 0, .top_k = 2};
    EXPECT_THAT(message_of(options), ::testing::HasSubstr("'moba' is [0, 2]"));
}

}  // namespace
}  // namespace loglog::testing
