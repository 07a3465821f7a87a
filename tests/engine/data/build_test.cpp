#include "engine/data/build.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/data/dataset.hpp"
#include "engine/data/synthetic.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string read_text(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream{path, std::ios::binary}.rdbuf();
    return text.str();
}

void write_text(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream{path, std::ios::binary} << text;
}

class Build : public ::testing::Test {
  protected:
    void write_corpus(const std::string& name, int documents = 60) const {
        const SyntheticText text{Seed{4}};
        for (int i = 0; i < documents; ++i) {
            write_text(folder_ / (name + "/" + std::to_string(i) + ".txt"),
                       text.document(static_cast<std::uint64_t>(i)));
        }
    }

    BuildOptions options(const std::string& out, const std::vector<std::string>& paths) const {
        BuildOptions result;
        result.out = (folder_ / out).string();
        for (const auto& path : paths) { result.paths.push_back((folder_ / path).string()); }
        result.fractions = {.validation = 0.2, .test = 0.1};
        return result;
    }

    std::string complaint(const BuildOptions& build) const {
        try {
            build_dataset(build);
        } catch (const InputError& error) { return error.what(); }
        return "no complaint";
    }

    TemporaryFolder folder_;
};

void expect_same_shards(const BuildOptions& one, const BuildOptions& other) {
    for (const char* file : {"train-00000.tokens", "validation-00000.tokens", "test-00000.tokens", "tokenizer.json"}) {
        EXPECT_EQ(read_text(one.out + '/' + file), read_text(other.out + '/' + file)) << file;
    }
}

TEST_F(Build, DependsOnContentNotOnNamesOrOrder) {
    write_corpus("one");
    for (int i = 0; i < 60; ++i) {  // the same texts under names that sort the other way round
        const auto from = folder_ / ("one/" + std::to_string(i) + ".txt");
        write_text(folder_ / ("two/deeper/" + std::to_string(1000 - i)), read_text(from));
    }
    auto one = options("data-one", {"one"});
    auto two = options("data-two", {"two"});
    one.tokenizer = two.tokenizer = "bpe:400";

    const auto first = build_dataset(one).manifest;
    const auto second = build_dataset(two).manifest;

    EXPECT_EQ(first.data_hash, second.data_hash);
    EXPECT_EQ(first.input_hash, second.input_hash);
    expect_same_shards(one, two);
}

TEST_F(Build, DoesNotDependOnThreads) {
    write_corpus("texts");
    auto one = options("data-one", {"texts"});
    auto five = options("data-five", {"texts"});
    one.tokenizer = five.tokenizer = "bpe:500";
    one.threads = 1;
    five.threads = 5;

    EXPECT_EQ(build_dataset(one).manifest.data_hash, build_dataset(five).manifest.data_hash);
    expect_same_shards(one, five);
}

TEST_F(Build, TrainsTheTokenizerOnTheTrainingSplitOnly) {
    write_corpus("texts");
    auto build = options("data", {"texts"});
    build.tokenizer = "bpe:300";
    build_dataset(build);
    const auto data = TokenDataset::open(build.out);
    std::vector<std::int32_t> tokens(data.tokens(Split::train));
    data.read(Split::train, 0, tokens);

    // The training split's own texts, and nothing to hold out.
    std::string text;
    int documents = 0;
    for (const auto token : tokens) {
        if (token != data.tokenizer().end_of_document()) {
            text += data.tokenizer().decode(std::span{&token, 1});
            continue;
        }
        write_text(folder_ / ("train-only/" + std::to_string(documents++)), text);
        text.clear();
    }
    auto only = options("data-only", {"train-only"});
    only.tokenizer = "bpe:300";
    only.fractions = {.validation = 0.0, .test = 0.0};

    EXPECT_EQ(build_dataset(only).manifest.tokenizer_hash, data.tokenizer().hash());
}

TEST_F(Build, DropsAndReportsWhatIsNoNewText) {
    write_text(folder_ / "in/a.txt", "the same text");
    write_text(folder_ / "in/b.txt", "the same text");
    write_text(folder_ / "in/c.txt", "another text");
    write_text(folder_ / "in/d.bin", std::string{"with a \0 byte", 13});
    write_text(folder_ / "in/e.txt", "latin 1: \xe9t\xe9");
    write_text(folder_ / "in/f.txt", "");

    const auto manifest = build_dataset(options("data", {"in"})).manifest;

    EXPECT_EQ(manifest.files, 6u);
    EXPECT_EQ(manifest.dropped.duplicate, 1u);
    EXPECT_EQ(manifest.dropped.binary, 1u);
    EXPECT_EQ(manifest.dropped.not_utf8, 1u);
    EXPECT_EQ(manifest.dropped.empty, 1u);
    const auto in = (folder_ / "in/").string();
    EXPECT_EQ(read_text(folder_ / "data/dropped.tsv"), "binary\t" + in + "d.bin\nnot-utf8\t" + in + "e.txt\nempty\t" +
                                                           in + "f.txt\nduplicate\t" + in + "b.txt\tof " + in +
                                                           "a.txt\n");
}

TEST_F(Build, CutsFilesAtTheSeparator) {
    write_text(folder_ / "in/stories.txt", "one<|end|>two<|end|><|end|>three<|end|>one<|end|>four");
    auto build = options("data", {"in"});
    build.separator = "<|end|>";
    build.fractions = {.validation = 0.0, .test = 0.0};

    const auto manifest = build_dataset(build).manifest;

    EXPECT_EQ(manifest.split(Split::train).documents, 4u);
    EXPECT_EQ(manifest.split(Split::train).bytes, 3u + 3 + 5 + 4);
    EXPECT_EQ(manifest.dropped.duplicate, 1u);
    const auto same = TokenDataset::from_texts({"one", "two", "three", "four"}, Tokenizer::bytes(), build.fractions);
    const auto built = TokenDataset::open(build.out);
    std::vector<std::int32_t> tokens(built.tokens(Split::train));
    std::vector<std::int32_t> expected(same.tokens(Split::train));
    built.read(Split::train, 0, tokens);
    same.read(Split::train, 0, expected);
    EXPECT_EQ(tokens, expected);
}

TEST_F(Build, LeavesAnIdenticalDataSetAsItIs) {
    write_corpus("texts");
    const auto build = options("data", {"texts"});
    const auto first = build_dataset(build);
    const auto written = fs::last_write_time(build.out + "/manifest.json");

    const auto second = build_dataset(build);

    EXPECT_FALSE(first.is_already_built);
    EXPECT_TRUE(second.is_already_built);
    EXPECT_EQ(first.manifest.data_hash, second.manifest.data_hash);
    EXPECT_EQ(fs::last_write_time(build.out + "/manifest.json"), written);
}

TEST_F(Build, RefusesAnOccupiedFolderUnlessForced) {
    write_corpus("texts");
    write_text(folder_ / "data/precious.txt", "notes");
    auto build = options("data", {"texts"});
    EXPECT_THAT(complaint(build), AllOf(HasSubstr("already exists and is no data set"), HasSubstr("--force")));
    EXPECT_EQ(read_text(folder_ / "data/precious.txt"), "notes");

    build.existing = Existing::replace;
    build_dataset(build);
    EXPECT_FALSE(fs::exists(folder_ / "data/precious.txt"));

    build.existing = Existing::refuse;
    build.tokenizer = "bpe:300";
    EXPECT_THAT(complaint(build), HasSubstr("already holds a data set of other documents or settings"));
    build.existing = Existing::replace;
    build_dataset(build);
    EXPECT_EQ(TokenDataset::open(build.out).vocab_size(), 300);
    EXPECT_FALSE(fs::exists(build.out + ".building"));
    EXPECT_FALSE(fs::exists(build.out + ".replaced"));
}

TEST_F(Build, ClearsWhatAKilledBuildLeftBehind) {
    write_corpus("texts", 5);
    write_text(folder_ / "data.building/train-00000.tokens", "half a shard");
    write_text(folder_ / "data.building/lock", "");

    build_dataset(options("data", {"texts"}));

    EXPECT_FALSE(fs::exists(folder_ / "data.building"));
    EXPECT_FALSE(fs::exists(folder_ / "data/lock"));
    EXPECT_GT(TokenDataset::open((folder_ / "data").string()).tokens(Split::train), 0u);
}

TEST_F(Build, RefusesAFolderThatAnotherBuildIsMaking) {
    write_corpus("texts", 5);
    const StagingFolder other{(folder_ / "data").string()};

    EXPECT_THAT(complaint(options("data", {"texts"})), HasSubstr("another process is building this data set"));
    EXPECT_TRUE(fs::exists(other.path()));
}

TEST_F(Build, LeavesNothingWhenTheDiskIsFull) {
    write_corpus("texts");
    auto build = options("data", {"texts"});
    // A limit on file sizes fails as a full disk does: at a write, with an errno.
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit old_limit{};
    getrlimit(RLIMIT_FSIZE, &old_limit);
    const rlimit small{64'000, old_limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    std::string message;
    try {
        build_dataset(build);
    } catch (const Error& error) { message = error.what(); }
    setrlimit(RLIMIT_FSIZE, &old_limit);
    std::signal(SIGXFSZ, old_handler);

    EXPECT_THAT(message, AllOf(HasSubstr("train-00000.tokens: cannot write the shard: File too large")));
    EXPECT_FALSE(fs::exists(build.out));
    EXPECT_FALSE(fs::exists(build.out + ".building"));
}

TEST_F(Build, SaysWhatIsWrongWithItsInput) {
    write_corpus("texts", 3);
    write_text(folder_ / "empty/only.txt", "");
    EXPECT_THAT(complaint(options("data", {"missing"})), HasSubstr("missing: cannot read: No such file or directory"));
    EXPECT_THAT(complaint(options("data", {"texts/*.py"})), HasSubstr("no file matches the pattern"));
    EXPECT_THAT(complaint(options("data", {"empty"})),
                HasSubstr("none of the 1 files found is a text to train on (1 empty"));
    auto build = options("data", {"texts"});
    build.tokenizer = "bpe:lots";
    EXPECT_THAT(complaint(build), HasSubstr("the tokenizer is 'bpe:lots', but bpe:N needs a whole number N from 257"));
    build.tokenizer = "bpe:256";
    EXPECT_THAT(complaint(build), HasSubstr("from 257"));
    build.tokenizer = (folder_ / "nowhere.json").string();
    EXPECT_THAT(complaint(build), HasSubstr("nowhere.json: cannot read the tokenizer: No such file"));
    build.tokenizer = "bytes";
    build.shard_tokens = 0;
    EXPECT_THAT(complaint(build), HasSubstr("at least 1 token"));
    EXPECT_FALSE(fs::exists(folder_ / "data"));
}

TEST_F(Build, SaysWhichFileCannotBeRead) {
    if (geteuid() == 0) { GTEST_SKIP() << "root may read everything"; }
    write_corpus("texts", 3);
    const auto file = folder_ / "texts/1.txt";
    fs::permissions(file, fs::perms::none);
    EXPECT_THAT(complaint(options("data", {"texts"})), HasSubstr(file.string() + ": cannot read: Permission denied"));
    fs::permissions(folder_ / "texts", fs::perms::none);
    EXPECT_THAT(complaint(options("data", {"texts"})), HasSubstr("texts: cannot read: Permission denied"));
    fs::permissions(folder_ / "texts", fs::perms::owner_all);
}

TEST_F(Build, UsesAnExistingTokenizer) {
    write_corpus("texts");
    auto trained = options("data-one", {"texts"});
    trained.tokenizer = "bpe:300";
    build_dataset(trained);
    write_text(folder_ / "more/extra.txt", "something else altogether");
    auto reusing = options("data-two", {"more", "texts"});
    reusing.tokenizer = trained.out + "/tokenizer.json";

    EXPECT_EQ(build_dataset(reusing).manifest.tokenizer_hash, TokenDataset::open(trained.out).tokenizer().hash());
}

TEST_F(Build, NotesAVocabularySmallerThanAskedForAndAnEmptySplit) {
    write_text(folder_ / "in/a.txt", "abab");
    auto build = options("data", {"in"});
    build.tokenizer = "bpe:1000";

    const auto result = build_dataset(build);

    EXPECT_EQ(result.manifest.vocab_size, 258);
    EXPECT_THAT(result.notes,
                ElementsAre(HasSubstr("the validation split is empty"), HasSubstr("the test split is empty"),
                            HasSubstr("the vocabulary has 258 tokens, not 1000")));
}

TEST_F(Build, MayLieInsideTheFolderItIsMadeFrom) {
    write_corpus("texts");
    auto build = options("texts/data", {"texts"});
    const auto first = build_dataset(build);

    EXPECT_TRUE(build_dataset(build).is_already_built);
    EXPECT_EQ(first.manifest.files, 60u);
}

TEST_F(Build, RebuildCommandNamesEverySettingAndQuotes) {
    write_text(folder_ / "in with blank/it's.txt", "text");
    auto build = options("data", {"in with blank"});
    build.include = {"*.txt"};
    build.separator = "\n\n";

    const auto rebuild = build_dataset(build).manifest.rebuild;

    EXPECT_EQ(rebuild,
              "loglog data build --tokenizer bytes --val-fraction 0.2 --test-fraction 0.1 --shard-tokens 67108864 "
              "--separator '\n\n' --include '*.txt' '" +
                  (folder_ / "in with blank").string() + "'");
}

TEST_F(Build, ReportsItsProgress) {
    write_corpus("texts");
    auto build = options("data", {"texts"});
    build.tokenizer = "bpe:400";
    std::vector<std::string> phases;
    std::uint64_t done = 0;
    std::uint64_t total = 1;
    build_dataset(build, [&](const BuildProgress& progress) {
        if (phases.empty() || phases.back() != progress.phase) { phases.emplace_back(progress.phase); }
        std::tie(done, total) = std::pair{progress.done, progress.total};
    });

    EXPECT_THAT(phases, ElementsAre("read", "count", "merge", "tokenize"));
    EXPECT_EQ(done, total);
}

}  // namespace
}  // namespace loglog
