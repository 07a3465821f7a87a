#include "engine/data/recall_tokens.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace loglog {
namespace {

std::vector<std::int32_t> window_of(const TokenDataset& data, std::uint64_t first, std::size_t context) {
    std::vector<std::int32_t> window(context + 1);
    data.read(Split::validation, first, window);
    return window;
}

// The plain way: every pair of places, every training token.
std::vector<std::uint8_t> expected(const TokenDataset& data, const std::vector<std::uint64_t>& windows,
                                   std::size_t context, const RareBigrams& rule) {
    const auto tokens = std::min(rule.counted_tokens, data.tokens(Split::train));
    std::vector<std::int32_t> train(tokens);
    data.read(Split::train, 0, train);
    std::vector<std::uint8_t> marks;
    for (const auto first : windows) {
        const auto window = window_of(data, first, context);
        for (std::size_t i = 0; i < context; ++i) {
            bool before = false;
            for (std::size_t j = 0; j < i; ++j) { before |= window[j] == window[i] && window[j + 1] == window[i + 1]; }
            double count = 0;
            for (std::size_t t = 0; t + 1 < train.size(); ++t) {
                count += train[t] == window[i] && train[t + 1] == window[i + 1];
            }
            marks.push_back(before && count <= rule.most_per_million * 1e-6 * static_cast<double>(tokens) ? 1 : 0);
        }
    }
    return marks;
}

TEST(RecallTokens, AreSecondTokensOfRareBigramsSeenBeforeInTheWindow) {
    const auto data = TokenDataset::synthetic(30, Seed{4});
    const std::vector<std::uint64_t> windows{0, 200, 900};
    for (const RareBigrams rule : {RareBigrams{100'000, 300}, RareBigrams{70'000, 2'000}, RareBigrams{10, 1}}) {
        const auto marks = recall_tokens(data, windows, 120, rule);

        EXPECT_EQ(marks, expected(data, windows, 120, rule));
    }
}

TEST(RecallTokens, AreNoneWhereNothingRepeats) {
    const auto data = TokenDataset::synthetic(30, Seed{4});

    EXPECT_EQ(recall_tokens(data, std::vector<std::uint64_t>{0}, 1), std::vector<std::uint8_t>{0});
    EXPECT_TRUE(recall_tokens(data, {}, 8).empty());
}

}  // namespace
}  // namespace loglog
