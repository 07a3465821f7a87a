#include "engine/kernels/attention_mask.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

/// The mask has the pairs that `sees(query, key)` says, and counts them.
template <class Sees>
void expect_pairs(const AttentionMask& mask, std::size_t head, const Sees& sees) {
    std::uint64_t pairs = 0;
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(mask.time()); ++i) {
        for (std::int64_t j = 0; j <= i; ++j) {
            const bool actual = mask.sees(head, static_cast<std::size_t>(i), static_cast<std::size_t>(j));
            ASSERT_EQ(actual, sees(i, j)) << "query " << i << ", key " << j;
            pairs += actual;
        }
    }
    EXPECT_EQ(mask.visible_pairs(head, mask.time()), pairs);
}

class MaskOfLength : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(MaskOfLength, HasTheWindowAndTheFirstKeys) {
    for (const std::int64_t window : {1, 3, 47, 48, 49, 96, 97, 256, 2000}) {
        for (const std::int64_t sinks : {0, 1, 48, 60}) {
            SCOPED_TRACE("window " + std::to_string(window) + ", sinks " + std::to_string(sinks));
            expect_pairs(window_mask(GetParam(), window, sinks), 0,
                         [&](std::int64_t i, std::int64_t j) { return i - j < window || j < sinks; });
        }
    }
}

TEST_P(MaskOfLength, HasStrides) {
    for (const std::int64_t stride : {1, 3, 16, 48, 50, 128, 3000}) {
        SCOPED_TRACE(stride);
        expect_pairs(strided_mask(GetParam(), stride), 0,
                     [&](std::int64_t i, std::int64_t j) { return i - j < stride || (i - j) % stride == 0; });
        expect_pairs(dilated_mask(GetParam(), 4, stride), 0,
                     [&](std::int64_t i, std::int64_t j) { return i - j < 4 * stride && (i - j) % stride == 0; });
    }
}

TEST_P(MaskOfLength, HasBlocksAndSummaries) {
    for (const std::int64_t block : {1, 3, 16, 48, 50, 128, 3000}) {
        for (const std::int64_t summary : {std::int64_t{0}, std::int64_t{1}, block}) {
            SCOPED_TRACE("block " + std::to_string(block) + ", summary " + std::to_string(summary));
            expect_pairs(fixed_mask(GetParam(), block, summary), 0, [&](std::int64_t i, std::int64_t j) {
                return i / block == j / block || j % block >= block - summary;
            });
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Lengths, MaskOfLength, ::testing::Values(1, 48, 50, 97, 300));

TEST(AttentionMask, IsDenseIfNothingIsHidden) {
    EXPECT_TRUE(window_mask(100, 100, 0).is_dense());
    EXPECT_TRUE(window_mask(100, 1000, 7).is_dense());
    EXPECT_TRUE(strided_mask(100, 1).is_dense());
    EXPECT_TRUE(fixed_mask(100, 100, 1).is_dense());
    EXPECT_TRUE(dilated_mask(100, 100, 1).is_dense());
    EXPECT_FALSE(window_mask(100, 99, 0).is_dense());
}

TEST(AttentionMask, NeedsMemoryThatGrowsWithTheLength) {
    const auto grows_linearly = [](const auto& mask_of) {
        return mask_of(32768).bytes() <= 4.5 * mask_of(8192).bytes();
    };

    EXPECT_TRUE(grows_linearly([](std::int64_t time) { return window_mask(time, 256, 4); }));
    EXPECT_TRUE(grows_linearly([](std::int64_t time) { return strided_mask(time, 128); }));
    EXPECT_TRUE(grows_linearly([](std::int64_t time) { return fixed_mask(time, 128, 8); }));
    EXPECT_TRUE(grows_linearly([](std::int64_t time) { return dilated_mask(time, 64, 32); }));
    EXPECT_TRUE(grows_linearly([](std::int64_t time) { return bigbird_mask(time, {64, 1, 2}, Seed{1}, 0, 0, 1); }));
}

TEST(AttentionMask, OfASequenceIsThatOfItsBeginning) {
    const auto whole = strided_mask(300, 20);
    const auto part = strided_mask(130, 20);

    EXPECT_EQ(whole.visible_pairs(0, 130), part.visible_pairs(0, 130));
}

TEST(BigBirdMask, HasItsOwnBlockTwoBeforeTheFirstOnesAndAsManyRandomOnes) {
    constexpr std::int64_t block = 20;
    const auto mask = bigbird_mask(400, {block, 2, 3}, Seed{5}, 1, 0, 2);

    for (std::size_t head = 0; head < 2; ++head) {
        for (std::int64_t own = 0; own < 400 / block; ++own) {
            const auto last = static_cast<std::size_t>(own * block + block - 1);
            std::set<std::int64_t> random;
            for (std::int64_t b = 0; b <= own; ++b) {
                const bool is_seen = mask.sees(head, last, static_cast<std::size_t>(b * block));
                const bool is_certain = b < 2 || b + 2 >= own;
                EXPECT_TRUE(is_seen || !is_certain) << "block " << b << " of " << own;
                if (is_seen && !is_certain) { random.insert(b); }
                for (std::int64_t key = b * block; key < (b + 1) * block; ++key) {
                    EXPECT_EQ(mask.sees(head, last, static_cast<std::size_t>(key)), is_seen);
                }
            }
            EXPECT_EQ(random.size(), static_cast<std::size_t>(std::clamp<std::int64_t>(own - 4, 0, 3)));
        }
        expect_pairs(mask, head, [&](std::int64_t i, std::int64_t j) {  // all of a block's queries see the same blocks
            const auto last = static_cast<std::size_t>(i / block * block + block - 1);
            return mask.sees(head, last, static_cast<std::size_t>(j));
        });
    }
}

TEST(BigBirdMask, OfSomeHeadsIsThatOfTheWholeModels) {
    const auto all = bigbird_mask(500, {16, 1, 2}, Seed{5}, 3, 0, 4);
    const auto some = bigbird_mask(500, {16, 1, 2}, Seed{5}, 3, 2, 2);
    const auto other_layer = bigbird_mask(500, {16, 1, 2}, Seed{5}, 4, 0, 4);
    int differing_heads = 0;
    int differing_layers = 0;

    for (std::size_t i = 0; i < 500; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
            EXPECT_EQ(some.sees(0, i, j), all.sees(2, i, j));
            EXPECT_EQ(some.sees(1, i, j), all.sees(3, i, j));
            differing_heads += all.sees(0, i, j) != all.sees(1, i, j);
            differing_layers += all.sees(0, i, j) != other_layer.sees(0, i, j);
        }
    }
    EXPECT_GT(differing_heads, 0);
    EXPECT_GT(differing_layers, 0);
}

TEST(PatternMask, HasWhatTheTextSays) {
    const auto mask = pattern_mask(7, "# three blocks\n\nblock 3 # tokens\n0\n0-1\n2 0\n");
    const std::set<std::pair<std::int64_t, std::int64_t>> blocks{{0, 0}, {1, 0}, {1, 1}, {2, 0}, {2, 2}};

    expect_pairs(mask, 0, [&](std::int64_t i, std::int64_t j) { return blocks.contains({i / 3, j / 3}); });
}

TEST(PatternMask, OfSingleTokensMayLeaveOutTheQueryItself) {
    const auto mask = pattern_mask(3, "0\n0\n0 2");

    EXPECT_TRUE(mask.sees(0, 1, 0));
    EXPECT_FALSE(mask.sees(0, 1, 1));
    EXPECT_FALSE(mask.sees(0, 2, 1));
}

std::string error_of(std::int64_t time, std::string_view text) {
    try {
        pattern_mask(time, text);
    } catch (const InputError& error) { return error.what(); }
    return "none";
}

TEST(PatternMask, NamesTheLineThatIsWrong) {
    using ::testing::AllOf;
    using ::testing::HasSubstr;
    EXPECT_THAT(error_of(2, "0\n0-2\n"), AllOf(HasSubstr("line 2"), HasSubstr("block 2 is later")));
    EXPECT_THAT(error_of(2, "0\n# x\n1-0\n"), AllOf(HasSubstr("line 3"), HasSubstr("'1-0'")));
    EXPECT_THAT(error_of(2, "0\nx\n"), AllOf(HasSubstr("line 2"), HasSubstr("'x'")));
    EXPECT_THAT(error_of(2, "0\n-1\n"), HasSubstr("line 2"));
    EXPECT_THAT(error_of(2, "0\n99999999999\n"), HasSubstr("line 2"));
    EXPECT_THAT(error_of(2, "block 0\n0\n"), AllOf(HasSubstr("line 1"), HasSubstr("'block'")));
    EXPECT_THAT(error_of(2, "0\nblock 2\n"), AllOf(HasSubstr("line 2"), HasSubstr("before all rows")));
    EXPECT_THAT(error_of(9, "block 4\n0\n1\n"), AllOf(HasSubstr("line 3"), HasSubstr("needs 3")));
    EXPECT_THAT(error_of(1, ""), HasSubstr("needs 1"));
    EXPECT_THAT(error_of(1, "0\n5\n"), HasSubstr("line 2"));
}

}  // namespace
}  // namespace loglog
