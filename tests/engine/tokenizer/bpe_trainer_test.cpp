#include "engine/tokenizer/bpe_trainer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/base/random.hpp"
#include "engine/tokenizer/bpe_model.hpp"
#include "engine/tokenizer/pre_tokenize.hpp"

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Word = std::vector<std::int32_t>;

PreTokenCounter count(std::initializer_list<std::string_view> texts) {
    PreTokenCounter counter;
    for (const auto text : texts) { counter.count(text); }
    return counter;
}

// The definition, without any bookkeeping: counts all pairs anew for every merge.
std::vector<std::pair<std::int32_t, std::int32_t>> merges_by_definition(const std::string& text,
                                                                        std::int32_t vocab_size) {
    std::vector<Word> words;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = pre_token_end(text, begin);
        Word word;
        for (const char c : text.substr(begin, end - begin)) { word.push_back(static_cast<unsigned char>(c)); }
        words.push_back(word);
        begin = end;
    }
    std::vector<std::pair<std::int32_t, std::int32_t>> merges;
    while (static_cast<std::int32_t>(merges.size()) < vocab_size - 257) {
        std::map<std::pair<std::int32_t, std::int32_t>, std::int64_t> counts;
        for (const Word& word : words) {
            for (std::size_t i = 1; i < word.size(); ++i) { ++counts[{word[i - 1], word[i]}]; }
        }
        std::pair<std::int32_t, std::int32_t> best;
        std::int64_t most = 1;
        for (const auto& [pair, occurrences] : counts) {
            if (occurrences > most) { std::tie(best, most) = std::tie(pair, occurrences); }
        }
        if (most < 2) { break; }
        const auto token = static_cast<std::int32_t>(256 + merges.size());
        for (Word& word : words) {
            Word merged;
            for (std::size_t i = 0; i < word.size(); ++i) {
                const bool is_pair = i + 1 < word.size() && word[i] == best.first && word[i + 1] == best.second;
                merged.push_back(is_pair ? token : word[i]);
                i += is_pair ? 1 : 0;
            }
            word = merged;
        }
        merges.push_back(best);
    }
    return merges;
}

std::vector<std::pair<std::int32_t, std::int32_t>> merges_of(const Tokenizer& tokenizer) {
    std::vector<std::pair<std::int32_t, std::int32_t>> merges;
    for (const Merge& merge : tokenizer.model().merges) { merges.emplace_back(merge.left, merge.right); }
    return merges;
}

std::string random_text(Seed seed, std::size_t size, std::string_view alphabet) {
    const Random random{seed, Stream::synthetic_data};
    std::string text;
    for (std::size_t i = 0; i < size; ++i) { text += alphabet[random.below(i, alphabet.size())]; }
    return text;
}

TEST(TrainBpe, MergesTheMostFrequentPairFirst) {
    // Pre-tokens: "low" 1, " low" 2, " lower" 1. Pairs: lo 4, ow 4, " l" 3, we 1, er 1. Of lo = (108, 111) and
    // ow = (111, 119) the smaller left id goes first; then (low): lo+w 4, then " "+low 3.
    const auto tokenizer = train_bpe(count({"low low low", " lower"}), 260);

    EXPECT_THAT(merges_of(tokenizer),
                ElementsAre(std::pair{'l', 'o'}, std::pair{256, int{'w'}}, std::pair{int{' '}, 257}));
    EXPECT_EQ(tokenizer.vocab_size(), 260);
    EXPECT_EQ(tokenizer.end_of_document(), 259);
    EXPECT_THAT(tokenizer.encode("low lower"), ElementsAre(257, 258, 'e', 'r'));
}

TEST(TrainBpe, CountsARunOfEqualTokensByItsOverlaps) {
    // "aaaaa" twice: aa occurs 8 times; merged to [aa][aa]a: (aa, aa) 2, (aa, a) 2; the smaller right id ('a') goes
    // first.
    const auto tokenizer = train_bpe(count({"aaaaa", "aaaaa"}), 260);

    EXPECT_THAT(merges_of(tokenizer),
                ElementsAre(std::pair{int{'a'}, int{'a'}}, std::pair{256, int{'a'}}, std::pair{256, 257}));
}

TEST(TrainBpe, EndsEarlyWhenNoPairOccursTwice) {
    const auto tokenizer = train_bpe(count({"ab ab cd"}), 1000);

    // "ab" and " ab" share only (a, b).
    EXPECT_EQ(tokenizer.vocab_size(), 258);
    EXPECT_EQ(tokenizer.name(), "bpe:258");
}

TEST(TrainBpe, AgreesWithTheDefinition) {
    for (const auto alphabet : {"ab ", "abc  \n", "aab'st ==", "the quick brown fox jumps over 12"}) {
        const auto text = random_text(Seed{11}, 3'000, alphabet);

        EXPECT_EQ(merges_of(train_bpe(count({text}), 357)), merges_by_definition(text, 357))
            << "of '" << alphabet << "'";
    }
}

TEST(TrainBpe, DoesNotDependOnTheOrderOfTexts) {
    const auto one = random_text(Seed{1}, 2'000, "abcd ");
    const auto two = random_text(Seed{2}, 2'000, "cdef\n ");
    auto split = count({two});
    split.add(count({one}));

    EXPECT_EQ(train_bpe(count({one, two}), 400).hash(), train_bpe(split, 400).hash());
}

TEST(TrainBpe, RefusesAVocabularyBelowTheBytes) {
    try {
        train_bpe(count({"text"}), 256);
        FAIL() << "a vocabulary of 256 was accepted";
    } catch (const InputError& error) { EXPECT_THAT(error.what(), HasSubstr("at least 257")); }
}

}  // namespace
}  // namespace loglog
