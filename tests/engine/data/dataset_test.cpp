#include "engine/data/dataset.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/data/build.hpp"
#include "engine/data/manifest.hpp"
#include "engine/data/shard.hpp"
#include "engine/data/synthetic.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::vector<std::string> synthetic_texts(std::uint64_t count) {
    const SyntheticText text{Seed{9}};
    std::vector<std::string> texts;
    for (std::uint64_t i = 0; i < count; ++i) { texts.push_back(text.document(i)); }
    return texts;
}

/// A data set folder made from synthetic texts, in shards of 10,000 tokens.
class BuiltDataset : public ::testing::Test {
  protected:
    BuiltDataset() {
        const auto texts = synthetic_texts(40);
        fs::create_directory(folder_ / "texts");
        for (std::size_t i = 0; i < texts.size(); ++i) {
            std::ofstream{folder_ / ("texts/" + std::to_string(i) + ".txt")} << texts[i];
        }
        BuildOptions options;
        options.out = path();
        options.paths = {(folder_ / "texts").string()};
        options.fractions = {.validation = 0.2, .test = 0.1};
        options.shard_tokens = 10'000;
        build_dataset(options);
    }

    std::string path() const { return (folder_ / "data").string(); }
    std::string shard() const { return path() + "/train-00001.tokens"; }

    std::string complaint(OpenCheck check = OpenCheck::checksums) const {
        try {
            TokenDataset::open(path(), check);
        } catch (const Error& error) { return error.what(); }
        return "no complaint";
    }

    TemporaryFolder folder_;
};

std::vector<std::int32_t> read_all(const TokenDataset& data, Split split) {
    std::vector<std::int32_t> tokens(data.tokens(split));
    data.read(split, 0, tokens);
    return tokens;
}

TEST(DatasetFromTexts, FollowsEveryDocumentByItsEnd) {
    const auto data = TokenDataset::from_texts({"ab", "c", "ab"}, Tokenizer::bytes(), {.validation = 0.0, .test = 0.0});

    EXPECT_EQ(data.documents(Split::train), 2u);  // the duplicate is dropped
    EXPECT_EQ(data.tokens(Split::train), 5u);
    EXPECT_EQ(data.bytes(Split::train), 3u);
    EXPECT_DOUBLE_EQ(data.bytes_per_token(Split::train), 0.6);
    EXPECT_EQ(data.bytes_per_token(Split::test), 0.0);
    EXPECT_THAT(read_all(data, Split::train), ::testing::AnyOf(::testing::ElementsAre('a', 'b', 256, 'c', 256),
                                                               ::testing::ElementsAre('c', 256, 'a', 'b', 256)));
}

TEST_F(BuiltDataset, HoldsTheTokensOfItsTexts) {
    const auto built = TokenDataset::open(path());
    const auto expected =
        TokenDataset::from_texts(synthetic_texts(40), Tokenizer::bytes(), {.validation = 0.2, .test = 0.1});

    for (const Split split : all_splits) {
        EXPECT_GT(built.documents(split), 0u);
        EXPECT_EQ(built.documents(split), expected.documents(split));
        EXPECT_EQ(built.bytes(split), expected.bytes(split));
        EXPECT_EQ(read_all(built, split), read_all(expected, split));
    }
}

TEST_F(BuiltDataset, ReadsAcrossShards) {
    const auto data = TokenDataset::open(path());
    const auto all = read_all(data, Split::train);
    ASSERT_GT(all.size(), 30'000u);  // more than three shards

    for (const std::uint64_t first : {0u, 9'990u, 9'999u, 10'000u, 19'500u}) {
        std::vector<std::int32_t> part(10'011);
        data.read(Split::train, first, part);
        EXPECT_TRUE(std::equal(part.begin(), part.end(), all.begin() + static_cast<std::ptrdiff_t>(first))) << first;
    }
    std::vector<std::int32_t> last(3);
    data.read(Split::train, all.size() - 3, last);
    EXPECT_TRUE(std::equal(last.begin(), last.end(), all.end() - 3));
    EXPECT_THROW(data.read(Split::train, all.size() - 2, last), InputError);
    EXPECT_THROW(data.read(Split::train, ~std::uint64_t{0}, last), InputError);
}

TEST_F(BuiltDataset, OutlivesItsCopies) {
    auto first = std::make_unique<TokenDataset>(TokenDataset::open(path()));
    const auto expected = read_all(*first, Split::train);
    const TokenDataset copy = *first;
    first.reset();

    EXPECT_EQ(read_all(copy, Split::train), expected);
}

TEST_F(BuiltDataset, SaysWhichShardIsDamagedAndHowToRebuild) {
    std::fstream file{shard(), std::ios::in | std::ios::out | std::ios::binary};
    file.seekp(sizeof(ShardHeader) + 4'321);
    file.put('\x55');
    file.close();

    const auto expected = to_hex(read_manifest(path()).split(Split::train).shards[1].checksum);
    EXPECT_THAT(complaint(),
                AllOf(HasSubstr(shard() + ": the shard's checksum is "), HasSubstr("but expected is " + expected),
                      HasSubstr("make it again with: loglog data build --tokenizer bytes"),
                      HasSubstr("--force --out " + path())));
    EXPECT_EQ(complaint(OpenCheck::sizes_only), "no complaint");
}

TEST_F(BuiltDataset, SaysWhenAShardIsCutOff) {
    fs::resize_file(shard(), 10'000);

    EXPECT_THAT(complaint(OpenCheck::sizes_only),
                HasSubstr(shard() + ": the shard has 10000 bytes but expected are 20064"));
}

TEST_F(BuiltDataset, SaysWhenAShardIsMissing) {
    fs::remove(shard());

    EXPECT_THAT(complaint(OpenCheck::sizes_only),
                AllOf(HasSubstr(shard() + ": cannot read the shard: No such file"), HasSubstr("--force")));
}

TEST_F(BuiltDataset, SaysWhenAShardIsAnothers) {
    fs::copy_file(path() + "/train-00000.tokens", shard(), fs::copy_options::overwrite_existing);

    EXPECT_THAT(complaint(OpenCheck::sizes_only), HasSubstr("the shard's header says checksum"));
}

TEST_F(BuiltDataset, SaysWhenAShardWasNeverFinished) {
    std::fstream{shard(), std::ios::in | std::ios::out | std::ios::binary}.write(std::string(64, '\0').data(), 64);

    EXPECT_THAT(complaint(OpenCheck::sizes_only), HasSubstr("does not begin as a finished shard does"));
}

TEST_F(BuiltDataset, SaysWhenTheTokenizerIsAnothers) {
    auto changed = Tokenizer::bytes().to_json();
    const auto at = changed.find("\"a\": 97");
    ASSERT_NE(at, std::string::npos);
    changed.replace(at, 7, "\"a\": 98");
    changed.replace(changed.find("\"b\": 98"), 7, "\"b\": 97");
    std::ofstream{path() + "/tokenizer.json"} << changed;

    EXPECT_THAT(complaint(), HasSubstr("the tokenizer's hash is "));
}

TEST_F(BuiltDataset, SaysWhatIsWrongWithAManifest) {
    const auto manifest = path() + "/manifest.json";
    std::ofstream{manifest} << "{\"format\": \"loglog-data\", \"version\": 99}";
    EXPECT_THAT(complaint(), HasSubstr("its version is 99, this program reads version 1"));
    std::ofstream{manifest} << "{\"format\": ";
    EXPECT_THAT(complaint(), HasSubstr("manifest.json: not a valid manifest"));
    fs::remove(manifest);
    EXPECT_THAT(complaint(),
                AllOf(HasSubstr("not a data set"), HasSubstr("No such file"), HasSubstr("loglog data build --out")));
}

}  // namespace
}  // namespace loglog
