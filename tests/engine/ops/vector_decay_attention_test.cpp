#include "engine/ops/vector_decay_attention.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/op_case.hpp"

namespace loglog::testing {
namespace {

void expect_agreement(std::size_t leaf, const GradientReport& report) {
    EXPECT_TRUE(report.agrees) << "leaf " << leaf << " " << report.worst;
}

constexpr std::int64_t time_steps = 9, heads = 2, key_dim = 3, value_dim = 4;
constexpr std::int64_t sequences = 2, rows = sequences * time_steps;
constexpr std::int64_t row_width = heads * key_dim + key_dim + value_dim;

/// Two query heads share a key/value head, all in one fused row.
struct Inputs {
    Leaves leaves;
    Tensor qkv;
    Tensor g;
    std::vector<std::int32_t> document_start;

    explicit Inputs(std::uint64_t seed)
        : leaves{seed},
          qkv{leaves.add(Shape{rows, row_width})},
          g{leaves.add(Shape{rows, heads * key_dim}, 0.1, -0.4)} {}

    Heads q() const { return {qkv, 0, heads}; }
    Heads k() const { return {qkv, heads * key_dim, 1}; }
    Heads v() const { return {qkv, heads * key_dim + key_dim, 1}; }
    LinearAttentionOptions options(std::int64_t chunk) const {
        return {.time = time_steps,
                .key_dim = key_dim,
                .value_dim = value_dim,
                .chunk = chunk,
                .scale = 0.7,
                .document_start = document_start};
    }
    void check(std::int64_t chunk) {
        check_op(
            leaves, [&](Tape& tape) { return vector_decay_attention(tape, q(), k(), v(), g, options(chunk)); },
            expect_agreement);
    }
};

TEST(VectorDecayGradient, MatchesCentralDifferencesForAnyChunk) {
    for (const std::int64_t chunk : {1, 2, 3, 8, 64}) { Inputs{1}.check(chunk); }
}

TEST(VectorDecayGradient, MatchesCentralDifferencesAcrossDocuments) {
    Inputs inputs{2};
    for (std::int64_t row = 0; row < rows; ++row) {
        const auto place = static_cast<std::int32_t>(row % time_steps);
        inputs.document_start.push_back(place < 2 ? 0 : place < 7 ? 2 : 7);
    }

    inputs.check(4);
}

TEST(VectorDecayGradient, MatchesCentralDifferencesWithoutAndWithStrongDecay) {
    Inputs inputs{3};
    const auto g = inputs.leaves.values(1);
    for (std::size_t i = 0; i < g.size(); ++i) { g[i] = i % 3 == 0 ? 0.0 : i % 3 == 1 ? -30.0 : -0.5; }

    inputs.check(4);
}

TEST(VectorDecayGradient, MatchesCentralDifferencesWhereKeysAreEqual) {
    Inputs inputs{4};
    const auto qkv = inputs.leaves.values(0);
    for (std::size_t row = 1; row < rows; ++row) {
        std::copy_n(qkv.begin() + heads * key_dim, key_dim,
                    qkv.begin() + static_cast<std::ptrdiff_t>(row * row_width + heads * key_dim));
    }

    inputs.check(4);
}

TEST(VectorDecayGradient, AddsUpWhenDecaysAreUsedTwice) {
    Inputs inputs{5};
    const Tensor more = inputs.leaves.add(Shape{rows, row_width});

    check_op(
        inputs.leaves,
        [&](Tape& tape) {
            const Tensor once =
                vector_decay_attention(tape, inputs.q(), inputs.k(), inputs.v(), inputs.g, inputs.options(4));
            return vector_decay_attention(tape, {more, 0, heads}, {more, heads * key_dim, heads}, {once, 0, heads},
                                          inputs.g, inputs.options(4));
        },
        expect_agreement);
}

TEST(VectorDecayAttention, StepsReachTheSameOutputs) {
    Inputs inputs{6};
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::evaluate};
    const Tensor whole = vector_decay_attention(tape, inputs.q(), inputs.k(), inputs.v(), inputs.g, inputs.options(4));
    const Tensor state = tape.saved(Shape{heads, key_dim, value_dim}, DType::float64);
    std::ranges::fill(state.values<double>(), 0.0);

    for (std::int64_t row = 0; row < time_steps; ++row) {
        const auto row_of = [&](const Tensor& x) {
            return Tensor{x.data + row * x.shape.back() * 8, Shape{1, x.shape.back()}, x.dtype, nullptr};
        };
        const Tensor qkv = row_of(inputs.qkv);
        const Tensor out = vector_decay_attention_step(tape, {qkv, 0, heads}, {qkv, heads * key_dim, 1},
                                                       {qkv, heads * key_dim + key_dim, 1}, row_of(inputs.g),
                                                       inputs.options(4), state);
        for (std::size_t i = 0; i < out.elements(); ++i) {
            // Sums of time * key_dim terms of size 10 or so, a few roundings each.
            EXPECT_NEAR(out.values<double>()[i], row_of(whole).values<double>()[i], 9 * 3 * 10 * 8 * 0x1p-53);
        }
    }
}

TEST(VectorDecayAttention, RefusesShapesThatDoNotFit) {
    Inputs inputs{7};
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
    const auto attend = [&](const Tensor& g, const LinearAttentionOptions& options) {
        vector_decay_attention(tape, inputs.q(), inputs.k(), inputs.v(), g, options);
    };
    Tensor narrow = inputs.g;
    narrow.shape = Shape{rows, heads};
    auto late = inputs.options(4);
    late.time = 5;

    EXPECT_THROW(attend(inputs.g, late), ShapeError);
    EXPECT_THROW(
        vector_decay_attention_step(tape, inputs.q(), inputs.k(), inputs.v(), inputs.g, inputs.options(4), inputs.g),
        ShapeError);
    try {
        attend(narrow, inputs.options(4));
        FAIL();
    } catch (const ShapeError& error) {
        EXPECT_STREQ(error.what(),
                     "vector_decay_attention: 'g' is [18, 2] but must be [18, 6] (a decay per token and key channel of "
                     "each head of 'q')");
    }
}

TEST(VectorDecayAttention, IsCountedWithoutTouchingMemory) {
    Context context{CountingContext{}};
    Arena arena{Backing::address_space};
    Tape tape{context, arena, Mode::train};
    constexpr std::int64_t tokens = 1 << 14;
    const Tensor qkv = tape.empty(Shape{tokens, 3 * 256}, DType::float32);
    const Tensor g = tape.empty(Shape{tokens, 256}, DType::float32);
    const LinearAttentionOptions options{.time = 4096, .key_dim = 64, .value_dim = 64};

    vector_decay_attention(tape, {qkv, 0, 4}, {qkv, 256, 4}, {qkv, 512, 4}, g, options);
    tape.backward();

    const double forward = tokens * 4.0 * (4 * 64 * 64 + 65 * 128);
    EXPECT_EQ(std::get<CountingContext>(context).total().model_flops, 3 * forward);
}

}  // namespace
}  // namespace loglog::testing
