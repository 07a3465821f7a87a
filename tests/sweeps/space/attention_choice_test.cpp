#include "sweeps/space/attention_choice.hpp"

#include <gmock/gmock.h>

#include "engine/base/error.hpp"
#include "experiments/spec/fields.hpp"
#include "sweeps/space/sweep_spec.hpp"

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string file = R"([sweep]
name = "fair"
kind = "attention"
attentions = ["dense"]
widths = [32, 64]
budget = 1e12
[data]
synthetic = { documents = 10 }
)";

std::string message_of(const std::vector<std::string>& overrides) {
    try {
        parse_sweep_spec(file, "sweep.toml", overrides);
    } catch (const InputError& error) { return error.what(); }
    return "no error";
}

AttentionSpec attention_of(const AttentionChoice& choice) {
    std::vector<SpecProblem> problems;
    return spec_from(choice.assignments, problems).model.attention;
}

AttentionChoice choice_of(const FieldValue& value) {
    std::vector<SpecProblem> problems;
    AttentionChoice choice = read_attention_choice(value, "sweep.attentions", {}, problems);
    throw_if_any(problems);
    return choice;
}

TEST(AttentionChoice, ReadsTheNamesThatAttentionsHave) {
    for (const char* name : {"dense", "window", "elu", "gdn", "gdn-3:1", "ssd-1:1", "moba-7:1", "gla-3:1-window"}) {
        EXPECT_EQ(attention_name(attention_of(choice_of({std::string{name}}))), name);
    }
    EXPECT_EQ(attention_of(choice_of({std::string{"gdn-3:1"}})).every, 4);
}

TEST(AttentionChoice, ReadsTablesOfKeysOfAttentionOrOfARun) {
    const SweepSpec sweep = parse_sweep_spec(
        file, "sweep.toml",
        {R"(sweep.attentions=["dense", { kind = "window", window = 128, train.optimizer.lr = 1e-2 }])"});

    ASSERT_EQ(sweep.comparison.attentions.size(), 2u);
    std::vector<SpecProblem> problems;
    const RunSpec spec = spec_from(sweep.comparison.attentions[1].assignments, problems);
    EXPECT_EQ(spec.model.attention.kind, AttentionKind::window);
    EXPECT_EQ(spec.model.attention.window, 128);
    EXPECT_EQ(spec.train.optimizer.lr, 1e-2);
}

TEST(AttentionChoice, NamesWhatIsWrongWithAnAttention) {
    const auto with = [](const std::string& value) { return message_of({"sweep.attentions=" + value}); };

    EXPECT_THAT(with("[\"windw\"]"), HasSubstr("'windw' is no kind of attention (did you mean 'window'?)"));
    EXPECT_THAT(with("[\"gdn-3\"]"), HasSubstr("'gdn-3' is no name of a hybrid, such as \"gdn-3:1\""));
    EXPECT_THAT(with("[\"gdn-0:1\"]"), HasSubstr("no name of a hybrid"));
    EXPECT_THAT(with("[3]"), HasSubstr("has 3 but must have names"));
    EXPECT_THAT(with("[{ kind = \"window\", windw = 3 }]"), HasSubstr("did you mean 'model.attention.window'?"));
    EXPECT_THAT(with("\"dense\""), HasSubstr("must be a list of attentions"));
}

TEST(AttentionSweep, ReadsItsKeysAndKnowsItsDefaults) {
    const AttentionComparison read = parse_sweep_spec(file, "sweep.toml").comparison;

    EXPECT_THAT(read.widths, ElementsAre(32, 64));
    EXPECT_EQ(read.budget, 1e12);
    EXPECT_THAT(read.lr_factors, ElementsAre(0.25, 0.5, 1, 2, 4));
    EXPECT_THAT(parse_sweep_spec(file, "sweep.toml", {"sweep.lr_factors=[4, 2, 1, 0.5, 0.7]"}).comparison.lr_factors,
                ElementsAre(0.5, 0.7, 1, 2, 4));
}

TEST(AttentionSweep, WantsASearchThatCanBracketTheBest) {
    EXPECT_THAT(message_of({"sweep.lr_factors=[0.5, 1, 2, 4]"}),
                HasSubstr("has 4 values, but a search needs at least 5"));
    EXPECT_THAT(message_of({"sweep.lr_factors=[0.1, 0.5, 1, 2, 4]"}), HasSubstr("goes from 0.1 to 0.5, a factor of 5"));
    EXPECT_THAT(message_of({"sweep.lr_factors=[1, 1, 1.5, 2, 4]"}), HasSubstr("has 1 twice"));
}

TEST(AttentionSweep, RefusesWhatContradictsItself) {
    EXPECT_THAT(message_of({"sweep.tokens_per_parameter=20"}), HasSubstr("is given and so is sweep.budget"));
    EXPECT_THAT(message_of({"vary.train.z_loss=[0, 1]"}), HasSubstr("nothing else may vary"));
    EXPECT_THAT(message_of({"train.tokens=1e6"}), HasSubstr("train.tokens: follows from sweep.budget"));
    EXPECT_THAT(message_of({"model.width=64"}), HasSubstr("model.width: follows from sweep.widths"));
    EXPECT_THAT(message_of({"model.attention.kind=gdn"}), HasSubstr("follows from sweep.attentions"));
    EXPECT_THAT(message_of({"sweep.widths=[32, 32]"}), HasSubstr("must be a list of different integers"));
    EXPECT_THAT(message_of({"sweep.kind=grid"}),
                HasSubstr("sweep.budget: only means something with sweep.kind = \"attention\""));
    EXPECT_THAT(message_of({"sweep.kind=atention"}), HasSubstr("did you mean 'attention'?"));
}

TEST(AttentionSweep, NeedsABudgetOrARatio) {
    std::string text = file;
    text.erase(text.find("budget"), 13);
    EXPECT_THROW(parse_sweep_spec(text, "sweep.toml"), InputError);
    EXPECT_EQ(parse_sweep_spec(text, "sweep.toml", {"sweep.tokens_per_parameter=20"}).tokens_per_parameter,
              std::vector<double>{20});
}

}  // namespace
}  // namespace loglog
