#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/tokenizer/bpe_model.hpp"
#include "engine/tokenizer/bpe_trainer.hpp"
#include "engine/tokenizer/tokenizer.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

Tokenizer trained_tokenizer() {
    PreTokenCounter counter;
    counter.count("def f(self):\n    return self.the\n\ndef g(self):\n    return self.other été été\n");
    return train_bpe(counter, 290);
}

// What loading says, with `change` applied to a good file.
std::string complaint(const std::function<void(json&)>& change) {
    auto file = json::parse(trained_tokenizer().to_json());
    change(file);
    try {
        Tokenizer::from_json(file.dump(), "changed.json");
    } catch (const InputError& error) { return error.what(); }
    return "no complaint";
}

TEST(TokenizerJson, EncodesAsHuggingFaceDoes) {
    std::ifstream file{LOGLOG_SOURCE_DIR "/tests/golden/tokenizer_parity.json"};
    const auto golden = json::parse(file);
    const auto tokenizer = Tokenizer::from_json(golden["tokenizer"].dump(), "tokenizer_parity.json");

    ASSERT_GT(golden["cases"].size(), 80u);
    for (const json& golden_case : golden["cases"]) {
        const auto text = golden_case["text"].get<std::string>();
        EXPECT_EQ(tokenizer.encode(text), golden_case["ids"].get<std::vector<std::int32_t>>()) << text;
    }
    EXPECT_EQ(tokenizer.end_of_document(), 290);
}

TEST(TokenizerJson, LoadingWhatWasSavedIsIdentity) {
    const TemporaryFolder folder;
    const auto path = (folder / "tokenizer.json").string();
    for (const auto& tokenizer : {Tokenizer::bytes(), trained_tokenizer()}) {
        tokenizer.save(path);
        const auto loaded = Tokenizer::load(path);

        EXPECT_EQ(loaded.hash(), tokenizer.hash());
        EXPECT_EQ(loaded.name(), tokenizer.name());
        EXPECT_EQ(loaded.model().merges, tokenizer.model().merges);
        EXPECT_EQ(loaded.to_json(), tokenizer.to_json());
    }
}

TEST(TokenizerJson, IsWrittenInTheFormOfHuggingFace) {
    const auto file = json::parse(trained_tokenizer().to_json());

    EXPECT_EQ(file["model"]["type"], "BPE");
    EXPECT_EQ(file["pre_tokenizer"]["type"], "ByteLevel");
    EXPECT_EQ(file["pre_tokenizer"]["add_prefix_space"], false);
    EXPECT_EQ(file["decoder"]["type"], "ByteLevel");
    EXPECT_EQ(file["added_tokens"][0]["content"], "<|endoftext|>");
    EXPECT_EQ(file["model"]["vocab"]["Ġ"], 32);
    EXPECT_EQ(file["model"]["vocab"]["Ċ"], 10);
}

TEST(TokenizerJson, ReadsTheFormOfGpt2) {
    // As GPT-2's file: merges as strings, no pre-set type, "" for no prefix, ids in the order of printable characters.
    auto file = json::parse(trained_tokenizer().to_json());
    file["model"].erase("type");
    file["model"]["continuing_subword_prefix"] = "";
    file["model"]["end_of_word_suffix"] = "";
    file["post_processor"] = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", false}};
    file["pre_tokenizer"].erase("use_regex");
    std::swap(file["model"]["vocab"]["a"], file["model"]["vocab"]["!"]);

    const auto tokenizer = Tokenizer::from_json(file.dump(), "gpt2.json");

    EXPECT_EQ(tokenizer.encode("!")[0], int{'a'});
    EXPECT_EQ(tokenizer.decode(tokenizer.encode("def a!")), "def a!");
    EXPECT_NE(tokenizer.hash(), trained_tokenizer().hash());
}

TEST(TokenizerJson, SaysWhatItCannotUse) {
    EXPECT_THAT(complaint([](json& f) {
                    f["model"] = {{"type", "WordPiece"}};
                }),
                AllOf(HasSubstr("changed.json: the model is 'WordPiece', not 'BPE'"), HasSubstr("GPT-2")));
    EXPECT_THAT(complaint([](json& f) { f["pre_tokenizer"]["type"] = "Metaspace"; }),
                HasSubstr("'Metaspace', not 'ByteLevel'"));
    EXPECT_THAT(complaint([](json& f) { f["pre_tokenizer"] = nullptr; }), HasSubstr("the pre_tokenizer is null"));
    EXPECT_THAT(complaint([](json& f) { f["pre_tokenizer"]["add_prefix_space"] = true; }),
                HasSubstr("add_prefix_space is true"));
    EXPECT_THAT(complaint([](json& f) { f["normalizer"] = {{"type", "NFC"}}; }), HasSubstr("the normalizer is 'NFC'"));
    EXPECT_THAT(complaint([](json& f) { f["model"]["dropout"] = 0.1; }), HasSubstr("model.dropout is 0.1"));
    EXPECT_THAT(complaint([](json& f) { f["model"]["vocab"].erase("a"); }), HasSubstr("the ids are not 0 to"));
    EXPECT_THAT(complaint([](json& f) { f["model"]["vocab"]["a"] = 98; }), HasSubstr("each once"));
    EXPECT_THAT(complaint([](json& f) { f["model"]["vocab"]["a"] = "x"; }), HasSubstr("has the id \"x\""));
    EXPECT_THAT(complaint([](json& f) { f["model"]["merges"].push_back("nobody here"); }),
                HasSubstr("\"nobody\", which is not in the vocabulary"));
    EXPECT_THAT(complaint([](json& f) { f["model"]["merges"].push_back(7); }),
                HasSubstr("merge 7 is no pair of tokens"));
    EXPECT_THAT(complaint([](json& f) { f["added_tokens"] = json::array(); }),
                HasSubstr("so the end of a document is unknown"));
}

TEST(TokenizerJson, SaysWhenAFileIsNoJsonOrMissing) {
    try {
        Tokenizer::from_json("{\"version\": ", "cut.json");
        FAIL() << "half a file was read";
    } catch (const InputError& error) { EXPECT_THAT(error.what(), HasSubstr("cut.json: not a JSON file")); }
    try {
        Tokenizer::load("/nonexistent/tokenizer.json");
        FAIL() << "a missing file was read";
    } catch (const InputError& error) { EXPECT_THAT(error.what(), HasSubstr("No such file or directory")); }
}

}  // namespace
}  // namespace loglog
