#include "engine/tokenizer/pre_tokenize.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/tokenizer/unicode.hpp"

namespace loglog {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> pre_tokens(std::string_view text) {
    std::vector<std::string> result;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = pre_token_end(text, begin);
        result.emplace_back(text.substr(begin, end - begin));
        begin = end;
    }
    return result;
}

TEST(PreTokenEnd, KeepsOneLeadingBlankWithWordsNumbersAndSigns) {
    EXPECT_THAT(pre_tokens("the cat 12 =="), ElementsAre("the", " cat", " 12", " =="));
    EXPECT_THAT(pre_tokens("x1=y"), ElementsAre("x", "1", "=", "y"));
    EXPECT_THAT(pre_tokens("_private"), ElementsAre("_", "private"));
}

TEST(PreTokenEnd, CutsContractionsInLowerCaseOnly) {
    EXPECT_THAT(pre_tokens("don't we'll"), ElementsAre("don", "'t", " we", "'ll"));
    EXPECT_THAT(pre_tokens("'s't're've'm'll'd"), ElementsAre("'s", "'t", "'re", "'ve", "'m", "'ll", "'d"));
    EXPECT_THAT(pre_tokens("DON'T"), ElementsAre("DON", "'", "T"));
    EXPECT_THAT(pre_tokens("'rx"), ElementsAre("'", "rx"));
}

TEST(PreTokenEnd, TakesAnApostropheAfterABlankWithTheBlank) {
    EXPECT_THAT(pre_tokens(" 's"), ElementsAre(" '", "s"));
    EXPECT_THAT(pre_tokens("!!'s"), ElementsAre("!!'", "s"));
}

TEST(PreTokenEnd, LeavesTheLastSpaceOfARunToWhatFollows) {
    EXPECT_THAT(pre_tokens("a   b"), ElementsAre("a", "  ", " b"));
    EXPECT_THAT(pre_tokens("a\n    b"), ElementsAre("a", "\n   ", " b"));
    EXPECT_THAT(pre_tokens("a\n\nb"), ElementsAre("a", "\n", "\n", "b"));
    EXPECT_THAT(pre_tokens("a\tb"), ElementsAre("a", "\t", "b"));
}

TEST(PreTokenEnd, TakesAllSpacesAtTheEnd) {
    EXPECT_THAT(pre_tokens("a  \n"), ElementsAre("a", "  \n"));
    EXPECT_THAT(pre_tokens(" "), ElementsAre(" "));
    EXPECT_THAT(pre_tokens(""), ElementsAre());
}

TEST(PreTokenEnd, KnowsLettersNumbersAndSpacesOfUnicode) {
    EXPECT_THAT(pre_tokens("été 中文"), ElementsAre("été", " 中文"));
    EXPECT_THAT(pre_tokens("x²½Ⅳ"), ElementsAre("x", "²½Ⅳ"));
    EXPECT_THAT(pre_tokens("a\u00a0\u3000b"), ElementsAre("a", "\u00a0", "\u3000", "b"));
    EXPECT_THAT(pre_tokens("a\u200bb"), ElementsAre("a", "\u200b", "b"));  // zero width: no space
    EXPECT_THAT(pre_tokens("e\u0301a"), ElementsAre("e", "\u0301", "a"));  // a combining mark is no letter
    EXPECT_THAT(pre_tokens("a\x1c"
                           "b"),
                ElementsAre("a", "\x1c", "b"));
}

TEST(PreTokenEnd, TakesInvalidBytesAsSigns) {
    EXPECT_THAT(pre_tokens("a\xff\xc3 b"), ElementsAre("a", "\xff\xc3", " b"));
    EXPECT_THAT(pre_tokens("\xe4\xb8"), ElementsAre("\xe4\xb8"));
}

TEST(IsUtf8, AcceptsTextAndRejectsBrokenSequences) {
    EXPECT_TRUE(is_utf8(""));
    EXPECT_TRUE(is_utf8("plain text of more than eight bytes, été, 👍"));
    EXPECT_FALSE(is_utf8("eight bytes and then \xff"));
    EXPECT_FALSE(is_utf8("cut off \xe4\xb8"));
    EXPECT_FALSE(is_utf8("overlong \xc0\xaf"));
    EXPECT_FALSE(is_utf8("surrogate \xed\xa0\x80"));
}

}  // namespace
}  // namespace loglog
