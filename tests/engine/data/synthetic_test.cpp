#include "engine/data/synthetic.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/data/dataset.hpp"

namespace loglog {
namespace {

std::vector<std::string> words_of(const SyntheticText& text, std::uint64_t documents) {
    std::vector<std::string> words;
    for (std::uint64_t i = 0; i < documents; ++i) {
        std::string word;
        for (const char c : text.document(i)) {
            if (c >= 'a' && c <= 'z') {
                word += c;
            } else if (!word.empty()) {
                words.push_back(std::move(word));
                word.clear();
            }
        }
    }
    return words;
}

template <class Key>
double entropy(const std::map<Key, double>& counts) {
    double total = 0.0;
    double sum = 0.0;
    for (const auto& [key, count] : counts) {
        total += count;
        sum += count * std::log(count);
    }
    return std::log(total) - sum / total;
}

TEST(SyntheticText, DependsOnSeedAndIndexOnly) {
    const SyntheticText text{Seed{5}};

    EXPECT_EQ(text.document(17), SyntheticText{Seed{5}}.document(17));
    EXPECT_NE(text.document(17), text.document(18));
    EXPECT_NE(text.document(17), SyntheticText{Seed{6}}.document(17));
}

TEST(SyntheticText, IsPlainAsciiInDocumentsOfSomeThousandBytes) {
    const SyntheticText text{Seed{5}};
    double bytes = 0.0;
    for (std::uint64_t i = 0; i < 50; ++i) {
        const auto document = text.document(i);
        EXPECT_TRUE(
            std::all_of(document.begin(), document.end(), [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
        EXPECT_EQ(document.back(), '\n');
        bytes += static_cast<double>(document.size());
    }
    EXPECT_GT(bytes / 50, 2'000.0);
    EXPECT_LT(bytes / 50, 6'000.0);
}

TEST(SyntheticText, HasAFewFrequentAndManyRareWords) {
    std::map<std::string, double> counts;
    for (const auto& word : words_of(SyntheticText{Seed{5}}, 100)) { ++counts[word]; }
    std::vector<double> sorted;
    for (const auto& [word, count] : counts) { sorted.push_back(count); }
    std::sort(sorted.rbegin(), sorted.rend());

    EXPECT_GT(sorted.size(), 500u);
    EXPECT_GT(sorted[0], 20 * sorted[sorted.size() / 2]);
}

// What a model learns beyond the frequencies of words: the word before tells much of the next one.
TEST(SyntheticText, MakesWordsPredictableFromTheWordBefore) {
    const auto words = words_of(SyntheticText{Seed{5}}, 400);
    std::map<std::string, double> singles;
    std::map<std::pair<std::string, std::string>, double> pairs;
    for (std::size_t i = 1; i < words.size(); ++i) {
        ++singles[words[i - 1]];
        ++pairs[{words[i - 1], words[i]}];
    }

    const double unconditional = entropy(singles);
    const double conditional = entropy(pairs) - unconditional;

    // An independent sequence would lose only what the finite sample hides (about 1.5 nats here).
    EXPECT_LT(conditional, unconditional - 2.0) << unconditional;
    EXPECT_GT(conditional, 1.0);
}

TEST(SyntheticDataset, IsTheSameEveryTimeAndHasAllSplits) {
    const auto data = TokenDataset::synthetic(200, Seed{5});

    EXPECT_EQ(data.hash(), TokenDataset::synthetic(200, Seed{5}).hash());
    EXPECT_NE(data.hash(), TokenDataset::synthetic(200, Seed{6}).hash());
    EXPECT_NE(data.hash(), TokenDataset::synthetic(201, Seed{5}).hash());
    EXPECT_EQ(data.documents(Split::train) + data.documents(Split::validation) + data.documents(Split::test), 200u);
    EXPECT_GE(data.documents(Split::validation), 5u);
    EXPECT_EQ(data.tokens(Split::train), data.bytes(Split::train) + data.documents(Split::train));
    EXPECT_EQ(data.vocab_size(), 257);
    EXPECT_THROW(TokenDataset::synthetic(0, Seed{5}), InputError);
}

}  // namespace
}  // namespace loglog
