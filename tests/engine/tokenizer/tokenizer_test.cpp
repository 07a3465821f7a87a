#include "engine/tokenizer/tokenizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/base/random.hpp"
#include "engine/tokenizer/bpe_model.hpp"
#include "engine/tokenizer/bpe_trainer.hpp"
#include "engine/tokenizer/encoder.hpp"

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string random_bytes(Seed seed, std::size_t size) {
    const Random random{seed, Stream::synthetic_data};
    std::string text;
    for (std::size_t i = 0; i < size; ++i) { text += static_cast<char>(random.below(i, 256)); }
    return text;
}

std::string random_words(Seed seed, std::size_t size) {
    const Random random{seed, Stream::synthetic_data};
    const std::vector<std::string> pieces{"self", " self", "=",  "  ", "\n", "été", "aaaa",
                                          "1",    "'s",    "re", "th", "e",  " "};
    std::string text;
    for (std::size_t i = 0; i < size; ++i) { text += pieces[random.below(i, pieces.size())]; }
    return text;
}

Tokenizer trained_tokenizer() {
    PreTokenCounter counter;
    counter.count(random_words(Seed{3}, 5'000));
    return train_bpe(counter, 320);
}

// The definition: merge the leftmost pair of the lowest rank, and look again. For one pre-token.
std::vector<std::int32_t> encode_by_definition(const BpeModel& model, std::string_view pre_token) {
    std::vector<std::int32_t> ids;
    for (const char c : pre_token) { ids.push_back(model.byte_tokens[static_cast<unsigned char>(c)]); }
    while (true) {
        std::size_t best = ids.size();
        std::size_t best_rank = model.merges.size();
        for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
            const auto found = std::find_if(model.merges.begin(), model.merges.end(), [&](const Merge& merge) {
                return merge.left == ids[i] && merge.right == ids[i + 1];
            });
            const auto rank = static_cast<std::size_t>(found - model.merges.begin());
            if (rank < best_rank) { std::tie(best, best_rank) = std::tie(i, rank); }
        }
        if (best == ids.size()) { return ids; }
        ids[best] = model.merges[best_rank].result;
        ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
}

TEST(BytesTokenizer, GivesTheByteValues) {
    const auto tokenizer = Tokenizer::bytes();

    EXPECT_THAT(tokenizer.encode("a\xff"), ElementsAre('a', 255));
    EXPECT_EQ(tokenizer.vocab_size(), 257);
    EXPECT_EQ(tokenizer.end_of_document(), 256);
    EXPECT_EQ(tokenizer.name(), "bytes");
    EXPECT_EQ(tokenizer.decode(std::vector<std::int32_t>{'h', 'i', 256}), "hi<|endoftext|>");
}

TEST(Tokenizer, RoundTripsAnyBytes) {
    for (const auto& tokenizer : {Tokenizer::bytes(), trained_tokenizer()}) {
        for (std::uint64_t seed = 0; seed < 5; ++seed) {
            const auto text = random_bytes(Seed{seed}, 2'000) + random_words(Seed{seed}, 500);

            EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text) << tokenizer.name();
        }
    }
}

TEST(Tokenizer, NeverMakesTheEndOfDocumentFromText) {
    const auto tokenizer = trained_tokenizer();

    const auto ids = tokenizer.encode("a<|endoftext|>b");

    EXPECT_EQ(std::count(ids.begin(), ids.end(), tokenizer.end_of_document()), 0);
    EXPECT_EQ(tokenizer.decode(ids), "a<|endoftext|>b");
}

TEST(Tokenizer, RefusesToDecodeUnknownTokens) {
    try {
        Tokenizer::bytes().decode(std::vector<std::int32_t>{257});
        FAIL() << "token 257 was decoded";
    } catch (const InputError& error) {
        EXPECT_STREQ(error.what(), "token 257 is outside the tokenizer's vocabulary of 257");
    }
}

TEST(Encoder, AgreesWithTheDefinitionOfBpe) {
    const auto tokenizer = trained_tokenizer();
    for (const std::string word :
         {"self", " self", "aaaaaaaaa", "selfself", "aaaaself", "étéété", "ththe", " rethe", "e"}) {
        EXPECT_EQ(tokenizer.encode(word), encode_by_definition(tokenizer.model(), word)) << word;
    }
}

TEST(Encoder, DoesNotDependOnWhatItEncodedBefore) {
    const auto tokenizer = trained_tokenizer();
    Encoder encoder{tokenizer};
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
        const auto text = random_words(Seed{seed}, 300) + std::string(100, 'a');
        std::vector<std::int32_t> ids;

        encoder.encode(text, ids);

        EXPECT_EQ(ids, tokenizer.encode(text));
    }
}

TEST(Encoder, StaysRightWhenItsCacheStartsAfresh) {
    const auto tokenizer = trained_tokenizer();
    Encoder encoder{tokenizer};
    std::vector<std::int32_t> ids;
    for (int number = 0; number < 300'000; ++number) {
        ids.clear();
        encoder.encode(std::to_string(number), ids);
    }

    EXPECT_EQ(tokenizer.decode(ids), "299999");
    ids.clear();
    encoder.encode("0 self", ids);
    EXPECT_EQ(ids, tokenizer.encode("0 self"));
}

}  // namespace
}  // namespace loglog
