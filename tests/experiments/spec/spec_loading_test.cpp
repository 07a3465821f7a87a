#include <gmock/gmock.h>

#include "engine/base/error.hpp"
#include "experiments/spec/fields.hpp"
#include "experiments/spec/load.hpp"

namespace loglog {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* minimal = "[data]\npath = \"data/python\"\n";

std::string message_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
    try {
        parse_run_spec(text, "run.toml", overrides);
    } catch (const InputError& error) { return error.what(); }
    return "no error";
}

TEST(SpecLoading, ReadsEveryKindOfValue) {
    const RunSpec spec = parse_run_spec(R"(
name = "small"
data = { synthetic = { documents = 200, seed = 5 } }
[model]
width = 96
heads = 3
norm = "rms"
bias = false
attention = { kind = "window", every = 4 }
[train]
tokens = 1e6
optimizer = { lr = 4e-3, betas = [0.8, 0.99], clip = 0 }
schedule = { kind = "wsd", warmup = 0.02 }
parameterization = "mup"
)",
                                        "run.toml");

    EXPECT_EQ(spec.name, "small");
    EXPECT_TRUE(spec.data.is_synthetic());
    EXPECT_EQ(spec.data.synthetic.seed, 5u);
    EXPECT_EQ(spec.model.width, 96);
    EXPECT_EQ(spec.model.norm, NormKind::rms);
    EXPECT_EQ(spec.model.attention.kind, AttentionKind::window);
    EXPECT_EQ(spec.model.attention.every, 4);
    EXPECT_EQ(spec.train.tokens, 1'000'000);
    EXPECT_EQ(spec.train.optimizer.betas, (std::array<double, 2>{0.8, 0.99}));
    EXPECT_EQ(spec.train.optimizer.clip, 0.0);
    EXPECT_EQ(spec.train.schedule.kind, ScheduleKind::wsd);
    EXPECT_EQ(spec.train.parameterization, ParameterizationKind::mup);
}

TEST(SpecLoading, QkvBiasFollowsBiasUnlessGiven) {
    EXPECT_FALSE(parse_run_spec(std::string{minimal} + "[model]\nbias = false\n", "r").model.qkv_bias);
    EXPECT_TRUE(parse_run_spec(std::string{minimal} + "[model]\nbias = false\nqkv_bias = true\n", "r").model.qkv_bias);
}

TEST(SpecLoading, ReportsEveryProblemWithItsPlaceAndTheNearestKey) {
    const std::string message = message_of(R"([data]
path = "x"
[model]
widht = 64
layers = "four"
context = 0
[train.optimizer]
lr = -1
betas = [0.9]
[train.schedule]
kind = "wds"
)");

    EXPECT_THAT(message, HasSubstr("run.toml:4:1: model.widht: unknown key (did you mean 'model.width'?)"));
    EXPECT_THAT(message, HasSubstr("run.toml:5:1: model.layers: is \"four\" but must be an integer in [1, 100000000]"));
    EXPECT_THAT(message, HasSubstr("run.toml:6:1: model.context: is 0 but must be an integer in [1, 100000000]"));
    EXPECT_THAT(message, HasSubstr("run.toml:8:1: train.optimizer.lr: is -1 but must be a number above 0"));
    EXPECT_THAT(message, HasSubstr("run.toml:9:1: train.optimizer.betas: is [0.9] but must be a list of 2 numbers"));
    EXPECT_THAT(message, HasSubstr("train.schedule.kind: is \"wds\" but must be constant, cosine or wsd (did you mean "
                                   "'wsd'?)"));
}

TEST(SpecLoading, SuggestsTheKeyOfAnotherTable) {
    EXPECT_THAT(message_of(std::string{minimal} + "[model]\ntokens = 5\n"), HasSubstr("did you mean 'train.tokens'?"));
    EXPECT_THAT(message_of(std::string{minimal} + "[train]\nlr = 0.1\n"),
                HasSubstr("did you mean 'train.optimizer.lr'?"));
    EXPECT_THAT(message_of(std::string{minimal} + "[train]\nxyzzy = 0.1\n"), Not(HasSubstr("did you mean")));
}

TEST(SpecLoading, SaysThatATableIsWanted) {
    EXPECT_THAT(message_of(std::string{minimal} + "[model]\nattention = \"window\"\n"),
                HasSubstr("model.attention: must be a table, with 'model.attention.kind' and others in it"));
}

TEST(SpecLoading, AcceptsIntegralRealsOnly) {
    EXPECT_EQ(parse_run_spec(std::string{minimal} + "[train]\ntokens = 2.5e6\n", "r").train.tokens, 2'500'000);
    EXPECT_THAT(message_of(std::string{minimal} + "[train]\ntokens = 2.5\n"),
                HasSubstr("train.tokens: is 2.5 but must be an integer, at least 1"));
    EXPECT_THAT(message_of(std::string{minimal} + "[train.optimizer]\nlr = inf\n"), HasSubstr("must be a number"));
    EXPECT_THAT(message_of(std::string{minimal} + "[train.optimizer]\nlr = nan\n"), HasSubstr("must be a number"));
}

TEST(SpecLoading, RefusesImpossibleCombinations) {
    const std::string model = std::string{minimal} + "[model]\n";

    EXPECT_THAT(message_of(model + "width = 100\nhead_dim = 32\n"),
                HasSubstr("run.toml:5:1: model.head_dim: model.head_dim = 32 does not divide model.width = 100"));
    EXPECT_THAT(message_of(model + "width = 100\nheads = 3\n"), HasSubstr("model.heads: is 3 but must divide"));
    EXPECT_THAT(message_of(model + "heads = 4\nkv_heads = 3\n"),
                HasSubstr("model.kv_heads: is 3 but must divide the 4"));
    EXPECT_THAT(message_of(model + "width = 36\nheads = 4\npositions = \"rotary\"\n"),
                HasSubstr("rotary needs an even head_dim"));
    EXPECT_THAT(message_of(model + "vocab = 0\n"), HasSubstr("model.vocab: is 0 but must be an integer in [1,"));
    EXPECT_THAT(
        message_of(std::string{minimal} + "[train]\nbatch_tokens = 1000\n"),
        HasSubstr("train.batch_tokens: is 1000 but must be a multiple of model.context = 256 (whole sequences), "
                  "such as 1024"));
    EXPECT_THAT(message_of(std::string{minimal} + "[train]\nmicro_batch = 33\n"),
                HasSubstr("train.micro_batch: is 33 sequences but a batch has only 32"));
    EXPECT_THAT(message_of(std::string{minimal} + "[train.schedule]\nkind = \"wsd\"\nwarmup = 0.5\ncooldown = 0.6\n"),
                HasSubstr("overlap"));
}

TEST(SpecLoading, WantsExactlyOneKindOfData) {
    EXPECT_THAT(message_of("[model]\nwidth = 64\n"), HasSubstr("no data: give data.path"));
    EXPECT_THAT(message_of(std::string{minimal} + "synthetic = { documents = 5 }\n"), HasSubstr("give one of the two"));
}

TEST(SpecLoading, OverridesWinAndNameTheirFlag) {
    const RunSpec spec = parse_run_spec(std::string{minimal} + "[model]\nwidth = 64\n", "run.toml",
                                        {"model.width=128", "model.norm=rms", "train.optimizer={ lr = 0.5 }",
                                         "data.path=some/where", "train.tokens=1e5"});

    EXPECT_EQ(spec.model.width, 128);
    EXPECT_EQ(spec.model.norm, NormKind::rms);
    EXPECT_EQ(spec.train.optimizer.lr, 0.5);
    EXPECT_EQ(spec.data.path, "some/where");
    EXPECT_EQ(spec.train.tokens, 100'000);
    EXPECT_THAT(message_of(minimal, {"model.wdith=1"}),
                HasSubstr("--set model.wdith=1: model.wdith: unknown key (did you mean 'model.width'?)"));
    EXPECT_THAT(message_of(minimal, {"model.width"}), HasSubstr("must be KEY=VALUE"));
    EXPECT_THAT(message_of(minimal, {"model.width=[1"}),
                HasSubstr("--set model.width=[1: model.width: the value is not"));
}

TEST(SpecLoading, NamesThePlaceOfASyntaxError) {
    EXPECT_THAT(message_of("[model]\nwidth = = 3\n"), AllOf(HasSubstr("run.toml:2:"), HasSubstr("not valid TOML")));
    EXPECT_THAT(message_of("[model]\nwidth = 1\nwidth = 2\n"), AllOf(HasSubstr("run.toml:3:"), HasSubstr("width")));
}

TEST(SpecLoading, RefusesAFileItCannotRead) {
    EXPECT_THROW(load_run_spec("/no/such/file.toml"), InputError);
    EXPECT_THROW(load_run_spec("/"), InputError);
}

}  // namespace
}  // namespace loglog
