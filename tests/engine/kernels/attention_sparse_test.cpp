#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "engine/kernels/attention_moba.hpp"
#include "tests/engine/kernels/attention_case.hpp"
#include "tests/engine/kernels/each_target.hpp"

namespace loglog {
namespace {

template <class T>
void expect_close(const std::vector<T>& actual, const std::vector<double>& expected, double tolerance,
                  const char* what) {
    ASSERT_EQ(actual.size(), expected.size());
    double squares = 0;
    for (const double value : expected) { squares += std::isfinite(value) ? value * value : 0; }
    const double typical = std::sqrt(squares / std::fmax(1.0, static_cast<double>(expected.size())));
    for (std::size_t i = 0; i < actual.size(); ++i) {
        if (std::isinf(expected[i])) {
            ASSERT_EQ(static_cast<double>(actual[i]), expected[i]) << what << "[" << i << "]";
        } else {
            ASSERT_NEAR(actual[i], expected[i], tolerance * std::fmax(typical, std::abs(expected[i])))
                << what << "[" << i << "]";
        }
    }
}

/// Runs both passes and compares with the definition: errors relative to the root mean square, or to the value itself
/// where it is larger (the gradient of a key that a thousand queries see).
template <class T>
void expect_equals_definition(AttentionCase<T>& c, double tolerance, int threads = 1) {
    const AttentionReference expected{c};
    CpuContext cpu{threads};

    run(cpu, c.forward());
    run(cpu, c.backward());

    expect_close(c.lse, expected.lse, tolerance, "lse");
    expect_close(c.out, expected.out, tolerance, "out");
    expect_close(c.d_qkv, expected.d_qkv, tolerance, "d_qkv");
}

/// One mask of each kind for a few hundred tokens.
std::vector<AttentionMask> some_masks(std::int64_t time, std::int64_t heads) {
    std::vector<AttentionMask> masks;
    masks.push_back(window_mask(time, 1, 0));
    masks.push_back(window_mask(time, 70, 0));
    masks.push_back(window_mask(time, 96, 3));
    masks.push_back(strided_mask(time, 13));
    masks.push_back(strided_mask(time, 128));
    masks.push_back(fixed_mask(time, 40, 2));
    masks.push_back(dilated_mask(time, 5, 31));
    masks.push_back(bigbird_mask(time, {32, 1, 2}, Seed{3}, 0, 0, heads));
    return masks;
}

/// Starts of documents of the given lengths, the last to the end.
std::vector<std::int32_t> documents(const AttentionSizes& s, std::initializer_list<std::size_t> lengths) {
    std::vector<std::int32_t> starts(s.batch * s.time);
    for (std::size_t sequence = 0; sequence < s.batch; ++sequence) {
        std::size_t start = 0;
        auto length = lengths.begin();
        for (std::size_t t = 0; t < s.time; ++t) {
            if (length != lengths.end() && t == start + *length) {
                start = t;
                ++length;
            }
            starts[sequence * s.time + t] = static_cast<std::int32_t>(start);
        }
    }
    return starts;
}

TEST(SparseAttention, EqualsItsDefinitionInDouble) {
    for (const auto& mask : some_masks(230, 4)) {
        AttentionCase<double> c{{1, 230, 4, 2, 12}};
        c.visible.mask = &mask;
        expect_equals_definition(c, 1e-12);
    }
}

TEST(SparseAttention, EqualsItsDefinitionOnEachInstructionSet) {
    for_each_target([] {
        for (const auto& mask : some_masks(200, 2)) {
            AttentionCase<float> c{{2, 200, 2, 1, 20}};
            c.visible.mask = &mask;
            expect_equals_definition(c, 2e-5);
        }
    });
}

TEST(SparseAttention, EqualsItsDefinitionOverThousandTokens) {
    for (const std::size_t time : {1000u, 1024u}) {
        const auto mask = window_mask(static_cast<std::int64_t>(time), 256, 4);
        AttentionCase<float> c{{1, time, 2, 1, 64}};
        c.visible.mask = &mask;
        expect_equals_definition(c, 2e-5);
    }
}

TEST(SparseAttention, EqualsItsDefinitionWithDropoutAndDocuments) {
    for (const auto& mask : some_masks(230, 4)) {
        AttentionCase<double> c{{2, 230, 4, 2, 12}};
        const auto starts = documents(c.sizes, {1, 50, 46, 48, 1, 3});
        c.visible = {.mask = &mask, .document_start = starts};
        c.dropout = {.probability = 0.2f, .key = {1, 2}, .first_sequence = 5};
        expect_equals_definition(c, 1e-12, 2);
    }
}

TEST(SparseAttention, EqualsItsDefinitionWithDocumentsAlone) {
    AttentionCase<double> c{{1, 500, 2, 1, 8}};
    const auto starts = documents(c.sizes, {60, 1, 1, 100, 2, 48});
    c.visible.document_start = starts;
    expect_equals_definition(c, 1e-12);
}

template <class T>
std::vector<std::int32_t> chosen_blocks(AttentionCase<T>& c, std::size_t block, std::size_t top_k) {
    std::vector<std::int32_t> chosen(c.sizes.batch * c.sizes.time * c.sizes.heads * top_k);
    const auto forward = c.forward();
    CpuContext cpu{2};
    run(cpu, AttentionBlockChoice<T>{c.sizes, forward.q, forward.k, block, top_k, c.visible.document_start, chosen});
    return chosen;
}

TEST(SparseAttention, EqualsItsDefinitionWithChosenBlocks) {
    for_each_target([] {
        for (const std::size_t block : {7u, 32u, 64u}) {
            AttentionCase<float> c{{2, 500, 4, 2, 20}};
            const auto starts = documents(c.sizes, {60, 1, 200});
            c.visible.document_start = starts;
            const auto chosen = chosen_blocks(c, block, 3);
            c.visible.selection = {.block = block, .top_k = 3, .blocks = chosen};
            c.dropout = {.probability = 0.1f};
            expect_equals_definition(c, 2e-5, 2);
        }
    });
}

// Blocks whose mean key has the largest products with the query, found one by one.
TEST(BlockChoice, TakesTheBlocksOfTheLargestScores) {
    AttentionCase<double> c{{1, 300, 2, 1, 12}};
    const auto chosen = chosen_blocks(c, 16, 4);

    for (std::size_t t = 0; t < 300; ++t) {
        for (std::size_t h = 0; h < 2; ++h) {
            std::vector<std::pair<double, std::int32_t>> scores;  // negative, so that the largest come first
            for (std::size_t b = 0; b < t / 16; ++b) {
                double score = 0;
                for (std::size_t key = b * 16; key < (b + 1) * 16; ++key) {
                    for (std::size_t i = 0; i < 12; ++i) {
                        score += c.qkv[t * c.row + h * 12 + i] * c.qkv[key * c.row + 24 + i] / 16;
                    }
                }
                scores.emplace_back(-score, static_cast<std::int32_t>(b));
            }
            std::sort(scores.begin(), scores.end());
            scores.resize(std::min<std::size_t>(scores.size(), 3));
            std::vector<std::int32_t> expected{static_cast<std::int32_t>(t / 16)};
            for (const auto& score : scores) { expected.push_back(score.second); }
            std::sort(expected.begin(), expected.end());
            expected.resize(4, -1);
            const auto at = chosen.begin() + static_cast<std::ptrdiff_t>((t * 2 + h) * 4);
            EXPECT_TRUE(std::equal(expected.begin(), expected.end(), at)) << "query " << t << ", head " << h;
        }
    }
}

TEST(SparseAttention, OfAWindowOverEverythingHasTheBitsOfDense) {
    AttentionCase<float> dense{{1, 600, 2, 1, 32}}, window{{1, 600, 2, 1, 32}};
    const auto mask = window_mask(600, 600, 0);
    window.visible.mask = &mask;
    CpuContext cpu;

    run(cpu, dense.forward());
    run(cpu, dense.backward());
    run(cpu, window.forward());
    run(cpu, window.backward());

    EXPECT_EQ(dense.out, window.out);
    EXPECT_EQ(dense.lse, window.lse);
    EXPECT_EQ(dense.d_qkv, window.d_qkv);
}

TEST(SparseAttention, MeetsTilesAsDenseDoes) {
    // One document is no mask, but takes the path of one.
    AttentionCase<float> dense{{1, 600, 2, 1, 32}}, sparse{{1, 600, 2, 1, 32}};
    const std::vector<std::int32_t> starts(600, 0);
    sparse.visible.document_start = starts;
    CpuContext cpu;

    run(cpu, dense.forward());
    run(cpu, dense.backward());
    run(cpu, sparse.forward());
    run(cpu, sparse.backward());

    EXPECT_EQ(dense.out, sparse.out);
    EXPECT_EQ(dense.lse, sparse.lse);
    // The first query sees one key: with gradients that are exact in one case, with rounding errors in the other.
    const auto second = static_cast<std::ptrdiff_t>(dense.row);
    EXPECT_TRUE(std::equal(dense.d_qkv.begin() + second, dense.d_qkv.end(), sparse.d_qkv.begin() + second));
}

TEST(SparseAttention, IsBitwiseEqualForAnyNumberOfThreads) {
    const AttentionSizes sizes{1, 1200, 2, 1, 20};
    const auto starts = documents(sizes, {500, 333});
    for (const auto& mask : some_masks(1200, 2)) {
        AttentionCase<float> one{sizes};
        one.visible = {.mask = &mask, .document_start = starts};
        one.dropout = {.probability = 0.1f};
        CpuContext cpu1{1};
        run(cpu1, one.forward());
        run(cpu1, one.backward());
        for (const int threads : {2, 3, 4}) {
            AttentionCase<float> other{sizes};
            other.visible = one.visible;
            other.dropout = one.dropout;
            CpuContext cpu{threads};

            run(cpu, other.forward());
            run(cpu, other.backward());

            EXPECT_EQ(one.out, other.out);
            EXPECT_EQ(one.lse, other.lse);
            EXPECT_EQ(one.d_qkv, other.d_qkv);
        }
    }
}

TEST(SparseAttention, OfPackedDocumentsEqualsThatOfEachAlone) {
    AttentionCase<double> packed{{1, 150, 2, 1, 8}};
    const auto starts = documents(packed.sizes, {70});
    packed.visible.document_start = starts;
    CpuContext cpu;
    run(cpu, packed.forward());
    run(cpu, packed.backward());

    for (const auto& [first, time] : {std::pair<std::size_t, std::size_t>{0, 70}, {70, 80}}) {
        AttentionCase<double> alone{{1, time, 2, 1, 8}};
        std::copy_n(packed.qkv.begin() + static_cast<std::ptrdiff_t>(first * packed.row), alone.qkv.size(),
                    alone.qkv.begin());
        std::copy_n(packed.d_out.begin() + static_cast<std::ptrdiff_t>(first * packed.width()), alone.d_out.size(),
                    alone.d_out.begin());
        run(cpu, alone.forward());
        run(cpu, alone.backward());
        for (std::size_t i = 0; i < alone.out.size(); ++i) {
            EXPECT_NEAR(alone.out[i], packed.out[first * packed.width() + i], 1e-14);
        }
        for (std::size_t i = 0; i < alone.d_qkv.size(); ++i) {
            EXPECT_NEAR(alone.d_qkv[i], packed.d_qkv[first * packed.row + i], 1e-13);
        }
    }
}

TEST(SparseAttention, OfAQueryThatSeesNothingIsZero) {
    for_each_target([] {
        // Queries 100 to 150 see the first document's keys alone, which are not of their document.
        std::string text;
        for (int i = 0; i < 160; ++i) { text += i >= 100 && i < 150 ? "0-50\n" : "0-" + std::to_string(i) + "\n"; }
        const auto mask = pattern_mask(160, text);
        AttentionCase<float> c{{1, 160, 1, 1, 16}};
        const auto starts = documents(c.sizes, {60});
        c.visible = {.mask = &mask, .document_start = starts};
        c.dropout = {.probability = 0.1f};
        expect_equals_definition(c, 2e-5);

        for (std::size_t i = 100; i < 150; ++i) {
            EXPECT_EQ(c.lse[i], -std::numeric_limits<float>::infinity());
            for (std::size_t e = 0; e < 16; ++e) {
                EXPECT_EQ(c.out[i * 16 + e], 0);
                EXPECT_EQ(c.d_qkv[i * c.row + e], 0);
            }
        }
    });
}

TEST(SparseAttention, OfAQueryThatSeesOneKeyGivesItsScoreNoGradient) {
    for_each_target([] {
        const auto mask = window_mask(130, 1, 0);
        AttentionCase<float> c{{1, 130, 2, 1, 24}};
        c.visible.mask = &mask;
        CpuContext cpu;

        run(cpu, c.forward());
        run(cpu, c.backward());

        for (std::size_t t = 0; t < 130; ++t) {
            for (std::size_t i = 0; i < 3 * 24; ++i) { EXPECT_EQ(c.d_qkv[t * c.row + i], 0) << "query or key " << t; }
            for (std::size_t i = 0; i < 24; ++i) {
                EXPECT_FLOAT_EQ(c.out[t * 48 + i], c.qkv[t * c.row + 72 + i]);
                EXPECT_EQ(c.d_qkv[t * c.row + 72 + i], c.d_out[t * 48 + i] + c.d_out[t * 48 + 24 + i]);
            }
        }
    });
}

}  // namespace
}  // namespace loglog
