#include <gmock/gmock.h>

#include "engine/base/error.hpp"
#include "sweeps/space/expand.hpp"
#include "sweeps/space/sweep_spec.hpp"

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string head = R"([sweep]
name = "test"
[data]
synthetic = { documents = 10 }
[train]
batch_tokens = 1024
)";

std::string message_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const InputError& error) { return error.what(); }
    return "no error";
}

std::string parse_message(const std::string& text, const std::vector<std::string>& overrides = {}) {
    return message_of([&] { parse_sweep_spec(text, "sweep.toml", overrides); });
}

// A model whose sizes are easy to follow: one parameter for each unit of width.
ModelSize by_width(const RunSpec& spec) {
    return {.flops_per_token = 100.0 * static_cast<double>(spec.model.width),
            .non_embedding_parameters = spec.model.width};
}

Expansion expand_text(const std::string& text, const std::vector<std::string>& overrides = {}) {
    return expand(
        parse_sweep_spec(text, "sweep.toml", overrides), [](const RunSpec&) { return 257; }, by_width);
}

template <class Field>
auto each(const std::vector<RunSpec>& runs, Field field) {
    std::vector<std::int64_t> values;
    for (const RunSpec& run : runs) { values.push_back(static_cast<std::int64_t>(field(run))); }
    return values;
}

auto widths(const std::vector<RunSpec>& runs) {
    return each(runs, [](const RunSpec& run) { return run.model.width; });
}
auto tokens(const std::vector<RunSpec>& runs) {
    return each(runs, [](const RunSpec& run) { return run.train.tokens; });
}

TEST(Space, ReadsTheMemoryOfARank) {
    const auto read = [](const std::string& value) {
        return parse_sweep_spec(head, "sweep.toml", {"sweep.rank_memory=" + value}).rank_memory;
    };

    EXPECT_EQ(read("\"2 GiB\""), 0x1p31);
    EXPECT_EQ(read("1_000_000"), 1e6);
    EXPECT_THAT(parse_message(head, {"sweep.rank_memory=\"plenty\""}),
                HasSubstr("sweep.rank_memory: is \"plenty\" but must be a number of bytes, such as \"2 GiB\""));
}

TEST(Space, KnowsWhetherLayoutsAreStated) {
    const auto states = [](const std::vector<std::string>& overrides) {
        return states_layout(parse_sweep_spec(head, "sweep.toml", overrides));
    };

    EXPECT_FALSE(states({}));
    EXPECT_FALSE(states({"layout.reduction=tree"}));
    EXPECT_TRUE(states({"layout.tp=2"}));
    EXPECT_TRUE(states({"vary.layout.pp=[1, 2]"}));
}

TEST(Space, GridIsEveryCombinationSeedsFastest) {
    const auto runs = expand_text(head + R"(seeds = [3, 4]
[vary]
"model.width" = [32, 64]
"train.tokens" = [1024, 2048, 4096]
)")
                          .runs;

    ASSERT_EQ(runs.size(), 12u);
    EXPECT_THAT(widths(runs), ElementsAre(32, 32, 32, 32, 32, 32, 64, 64, 64, 64, 64, 64));
    EXPECT_THAT(tokens(runs), ElementsAre(1024, 1024, 2048, 2048, 4096, 4096, 1024, 1024, 2048, 2048, 4096, 4096));
    EXPECT_THAT(each(runs, [](const RunSpec& run) { return run.train.seed; }),
                ElementsAre(3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4));
    EXPECT_EQ(runs[0].model.vocab, 257);
}

TEST(Space, DepthFollowsFromAspectUnlessGiven) {
    const auto layers = [](const std::vector<RunSpec>& runs) {
        return each(runs, [](const RunSpec& run) { return run.model.layers; });
    };
    const std::string vary = "[vary]\n\"model.width\" = [32, 96, 256]\n";

    EXPECT_THAT(layers(expand_text(head + vary).runs), ElementsAre(1, 3, 8));
    EXPECT_THAT(layers(expand_text(head + vary, {"sweep.aspect=64"}).runs), ElementsAre(1, 2, 4));
    EXPECT_THAT(layers(expand_text(head + vary, {"model.layers=5"}).runs), ElementsAre(5, 5, 5));
}

TEST(Space, HybridsAreJudgedByTheDepthThatFollows) {
    const std::string hybrid = "[vary]\n\"model.width\" = [256, 512]\n[model.attention]\nkind = \"gdn\"\nevery = 8\n";

    EXPECT_EQ(expand_text(head + hybrid).runs.size(), 2u) << "8 and 16 layers, though 4 are what models have otherwise";
    EXPECT_THAT(message_of([&] { expand_text(head + hybrid, {"sweep.aspect=21"}); }),
                HasSubstr("model.attention.every: is 8 but must divide model.layers = 12"));
}

TEST(Space, RangesAndLinkedKeysVaryToo) {
    EXPECT_THAT(widths(expand_text(head + "[vary]\n\"model.width\" = { from = 32, to = 256, factor = 2 }\n").runs),
                ElementsAre(32, 64, 128, 256));
    EXPECT_THAT(widths(expand_text(head + "[vary]\nmodel.width = { from = 32, to = 100, step = 32 }\n").runs),
                ElementsAre(32, 64, 96));

    const auto linked =
        expand_text(head +
                    "[vary]\n\"model.width, model.layers\" = [[64, 2], [128, 6]]\n\"train.z_loss\" = [0, 1e-4]\n")
            .runs;

    EXPECT_THAT(widths(linked), ElementsAre(64, 64, 128, 128));
    EXPECT_THAT(each(linked, [](const RunSpec& run) { return run.model.layers; }), ElementsAre(2, 2, 6, 6));
}

TEST(Space, IsoflopTokensFollowFromFlopsPerToken) {
    const auto expansion = expand_text(head + R"([vary]
"model.width" = [32, 64]
)",
                                       {"sweep.kind=isoflop", "sweep.budgets=[6.4e7, 1e8]"});

    // 6.4e7 / 3200 = 20000 = 19.5 batches; 6.4e7 / 6400 = 9.8; 1e8 / 3200 = 30.5; 1e8 / 6400 = 15.3 batches of 1024.
    EXPECT_THAT(tokens(expansion.runs), ElementsAre(20 * 1024, 31 * 1024, 10 * 1024, 15 * 1024));
    EXPECT_THAT(expansion.targets, ElementsAre(6.4e7, 1e8, 6.4e7, 1e8));
    EXPECT_THAT(expansion.notes, IsEmpty());
}

TEST(Space, LadderTokensFollowFromParameters) {
    const auto expansion = expand_text(head + "[vary]\n\"model.width\" = [32, 128]\n",
                                       {"sweep.kind=ladder", "sweep.tokens_per_parameter=[5, 160]"});

    // 32 x 5 = 160 tokens are less than half a batch of 1024; 32 x 160 = 5; 128 x 5 = 0.6; 128 x 160 = 20 batches.
    EXPECT_THAT(tokens(expansion.runs), ElementsAre(5 * 1024, 1024, 20 * 1024));
    ASSERT_EQ(expansion.notes.size(), 1u);
    EXPECT_THAT(expansion.notes[0], HasSubstr("left out: width 32, layers 1 at tokens per parameter 5: 160 tokens"));
}

TEST(Space, MergesRunsThatComeOutTheSame) {
    const auto expansion = expand_text(head + "[vary]\n\"train.tokens\" = [1000, 1024, 4096]\n");

    EXPECT_THAT(tokens(expansion.runs), ElementsAre(1024, 4096));
    ASSERT_EQ(expansion.notes.size(), 1u);
    EXPECT_THAT(expansion.notes[0], HasSubstr("merged"));
}

TEST(Space, SeedOfTheTrainTableIsTheOnlySeed) {
    const auto runs = expand_text(head + "seed = 9\n").runs;
    ASSERT_EQ(runs.size(), 1u);
    EXPECT_EQ(runs[0].train.seed, 9u);
}

TEST(Space, ReportsEveryProblemOfTheFile) {
    const std::string message = parse_message(R"([sweep]
name = "a/b"
kind = "isoflops"
aspct = 3
[model]
widht = 3
[train]
seeds = [1, -1]
[vary]
"model.width" = 64
"model.heads" = ["two"]
"train.seed" = [1, 2]
"train.tokns" = [1]
)");

    EXPECT_THAT(message, HasSubstr("sweep.toml:2:1: sweep.name: is \"a/b\" but must be a name of letters"));
    EXPECT_THAT(
        message,
        HasSubstr("sweep.toml:3:1: sweep.kind: is \"isoflops\" but must be grid, isoflop, ladder or attention (did you "
                  "mean 'isoflop'?)"));
    EXPECT_THAT(message, HasSubstr("sweep.toml:4:1: sweep.aspct: unknown key (did you mean 'sweep.aspect'?)"));
    EXPECT_THAT(message, HasSubstr("sweep.toml:6:1: model.widht: unknown key (did you mean 'model.width'?)"));
    EXPECT_THAT(message, HasSubstr("sweep.toml:8:1: train.seeds: is [1, -1] but must be a list of integers"));
    EXPECT_THAT(message, HasSubstr("sweep.toml:10:1: vary.model.width: is 64 but must be a list of values"));
    EXPECT_THAT(message, HasSubstr("sweep.toml:11:1: vary.model.heads: is \"two\" but must be an integer"));
    EXPECT_THAT(message, HasSubstr("seeds vary by 'train.seeds = [...]'"));
    EXPECT_THAT(message, HasSubstr("vary.train.tokns: unknown key (did you mean 'train.tokens'?)"));
}

TEST(Space, RefusesWhatContradictsItself) {
    EXPECT_THAT(parse_message(head + "[vary]\n\"model.width\" = [1]\nmodel.width = [2]\n"),
                HasSubstr("'model.width' varies twice"));
    EXPECT_THAT(parse_message(head, {"sweep.kind=isoflop"}), HasSubstr("sweep.budgets: is missing"));
    EXPECT_THAT(parse_message(head, {"sweep.budgets=[1e9]"}),
                HasSubstr("only means something with sweep.kind = \"isoflop\""));
    EXPECT_THAT(
        parse_message(head + "[vary]\n\"train.tokens\" = [1e6]\n", {"sweep.kind=isoflop", "sweep.budgets=[1e9]"}),
        HasSubstr("tokens follow from the sweep's kind, isoflop"));
    EXPECT_THAT(parse_message(head + "seed = 1\nseeds = [1]\n"), HasSubstr("is given and so is train.seeds"));
    EXPECT_THAT(parse_message(head + "[vary]\n\"model.width\" = { from = 32, to = 8, factor = 2 }\n"),
                HasSubstr("from may not exceed to"));
    EXPECT_THAT(parse_message("[data]\npath = \"x\"\n"), HasSubstr("sweep.name: is missing"));
}

TEST(Space, OverridingWhatVariesNamesTheKeyToOverride) {
    const std::string text = head + "[vary]\n\"model.width\" = [32, 64]\n";

    EXPECT_THAT(parse_message(text, {"model.width=128"}), HasSubstr("override 'vary.model.width' instead"));
    EXPECT_THAT(widths(expand_text(text, {"vary.model.width=[96]"}).runs), ElementsAre(96));
}

TEST(Space, NamesTheAxisOfAnImpossibleCombination) {
    EXPECT_THAT(message_of([] { expand_text(head + "[model]\nhead_dim = 32\n[vary]\n\"model.width\" = [32, 50]\n"); }),
                HasSubstr("model.head_dim = 32 does not divide model.width = 50"));
}

}  // namespace
}  // namespace loglog
