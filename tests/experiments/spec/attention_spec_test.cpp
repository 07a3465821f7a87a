#include <gmock/gmock.h>

#include <fstream>
#include <string>
#include <vector>

#include "engine/base/error.hpp"
#include "experiments/spec/enum_names.hpp"
#include "experiments/spec/load.hpp"
#include "experiments/spec/notes.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A spec whose table model.attention holds `attention`; `model`: further keys of the model.
std::string spec_text(const std::string& attention, const std::string& model = {}) {
    return "data = { path = \"data\" }\n[model]\nlayers = 4\nwidth = 64\ncontext = 128\n" + model +
           "\n[model.attention]\n" + attention + "\n";
}

RunSpec resolved(const std::string& attention, const std::string& model = {}) {
    return resolve(parse_run_spec(spec_text(attention, model), "run.toml"), 259);
}

std::string message_of(const std::string& attention, const std::string& model = {}) {
    try {
        resolved(attention, model);
    } catch (const InputError& error) { return error.what(); }
    return "no error";
}

TEST(AttentionSpec, RefusesSizesOfNothing) {
    for (const std::string key : {"window", "stride", "block", "summary", "top_k", "features", "chunk", "every"}) {
        EXPECT_THAT(message_of("kind = \"window\"\n" + key + " = 0"),
                    HasSubstr("model.attention." + key + ": is 0 but must be an integer, at least 1"));
    }
    for (const std::string key : {"sinks", "global_blocks", "random_blocks"}) {
        EXPECT_THAT(message_of("kind = \"bigbird\"\n" + key + " = -1"),
                    HasSubstr("model.attention." + key + ": is -1 but must be an integer, at least 0"));
    }
    EXPECT_THAT(message_of("kind = \"gdn\"\nconv = 9"), HasSubstr("model.attention.conv: is 9 but must be"));
    EXPECT_THAT(message_of("kind = \"gdn\"\noutput_gate = 2"), HasSubstr("model.attention.output_gate: is 2 but must"));
}

TEST(AttentionSpec, RefusesBlocksThatTheContextDoesNotHold) {
    for (const std::string kind : {"fixed", "bigbird", "moba"}) {
        EXPECT_THAT(message_of("kind = \"" + kind + "\"\nblock = 129"),
                    HasSubstr("model.attention.block: is 129 keys but must be at most model.context = 128"));
        EXPECT_EQ(message_of("kind = \"" + kind + "\"\nblock = 128"), "no error");
    }
    EXPECT_EQ(message_of("kind = \"dense\"\nblock = 129"), "no error") << "nothing reads it";
    EXPECT_THAT(
        message_of("kind = \"fixed\"\nblock = 8\nsummary = 9"),
        HasSubstr("model.attention.summary: is 9 keys of a block but must be at most model.attention.block = 8"));
}

TEST(AttentionSpec, RefusesHeadsThatDoNotDivideWhateverTheKind) {
    for (const auto& [kind, name] : EnumNames<AttentionKind>::values) {
        if (kind == AttentionKind::pattern) { continue; }
        const std::string attention = "kind = \"" + std::string{name} + "\"";
        EXPECT_THAT(message_of(attention, "heads = 5"),
                    HasSubstr("model.heads: is 5 but must divide model.width = 64"));
        EXPECT_THAT(message_of(attention, "heads = 4\nkv_heads = 3"),
                    HasSubstr("model.kv_heads: is 3 but must divide the 4 query heads"));
    }
}

TEST(AttentionSpec, NamesTheNearestKind) {
    EXPECT_THAT(message_of("kind = \"windw\""), HasSubstr("did you mean 'window'"));
    EXPECT_THAT(message_of("layers = [\"dense\", \"gdm\", \"ssd\", \"gla\"]"),
                HasSubstr("model.attention.layers: has \"gdm\" but kinds are"));
    EXPECT_THAT(message_of("layers = [\"dense\", \"gdm\", \"ssd\", \"gla\"]"), HasSubstr("did you mean 'gdn'"));
    EXPECT_THAT(message_of("windw = 3"), HasSubstr("did you mean 'model.attention.window'"));
}

TEST(AttentionSpec, WantsAListOfTheModelsLength) {
    EXPECT_THAT(message_of("layers = [\"dense\", \"gdn\"]"),
                HasSubstr("model.attention.layers: has 2 kinds but must have one for each of the model's 4 layers"));
}

TEST(AttentionSpec, WantsHybridsOfWholeGroups) {
    EXPECT_THAT(
        message_of("kind = \"gdn\"\nevery = 3"),
        HasSubstr("model.attention.every: is 3 but must divide model.layers = 4: every group of 3 layers ends in "
                  "a dense one (for other mixtures give model.attention.layers)"));
    EXPECT_THAT(message_of("kind = \"gdn\"\nevery = 8"),
                HasSubstr("model.attention.every: is 8 but the model has 4 layers, so that none would be dense"));
    EXPECT_THAT(message_of("kind = \"gdn\"\nevery = 2\nminority = \"ssd\""),
                HasSubstr("model.attention.minority: is \"ssd\" but must be dense or window"));
    EXPECT_EQ(message_of("kind = \"gdn\"\nevery = 2\nminority = \"window\""), "no error");
}

class AttentionPattern : public ::testing::Test {
  protected:
    /// A spec of a context of 128 that reads `text` from a file.
    std::string with_file(const std::string& text) const {
        const auto path = folder / "pattern.txt";
        std::ofstream{path} << text;
        return "kind = \"pattern\"\npattern = \"" + path.string() + "\"";
    }

    const TemporaryFolder folder;
};

TEST_F(AttentionPattern, IsWanted) {
    EXPECT_THAT(message_of("kind = \"pattern\""), HasSubstr("model.attention.pattern: is not given"));
    EXPECT_THAT(message_of("kind = \"pattern\"\npattern = \"/nowhere/p.txt\""),
                HasSubstr("model.attention.pattern: is \"/nowhere/p.txt\" but there is no such file that can be read"));
}

TEST_F(AttentionPattern, IsRefusedWithTheLine) {
    EXPECT_THAT(
        message_of(with_file("block 64\n0\n0 2\n")),
        HasSubstr("model.attention.pattern: attention pattern, line 3: block 2 is later than this row's own, 1"));
    EXPECT_THAT(
        message_of(with_file("block 64\n0\n# the rest is missing\n")),
        HasSubstr("line 3: the pattern ends after 1 rows, but a context of 128 tokens in blocks of 64 needs 2"));
    EXPECT_THAT(message_of(with_file("block 64\n0\n0-x\n")), HasSubstr("line 3: '0-x' is neither a block's number"));
    EXPECT_THAT(message_of(with_file("block 0\n0\n")), HasSubstr("line 1: 'block' needs one number"));
}

TEST_F(AttentionPattern, IsHeldAsTextSoThatRunsDoNotNeedTheFile) {
    const auto spec = resolved(with_file("block 64\n0\n0-1"));

    EXPECT_EQ(spec.model.attention.pattern, "block 64\n0\n0-1\n");
    EXPECT_EQ(resolve(spec, 259), spec);
}

TEST(AttentionSpec, OfEveryKindResolvesOnceForAll) {
    for (const auto& [kind, name] : EnumNames<AttentionKind>::values) {
        RunSpec spec = parse_run_spec(spec_text(""), "run.toml");
        spec.model.attention.kind = kind;
        spec.model.attention.pattern = kind == AttentionKind::pattern ? "block 64\n0\n0-1\n" : "unread";
        spec.model.attention.window = 5;
        spec.model.attention.chunk = 32;

        const RunSpec once = resolve(spec, 259);

        EXPECT_EQ(resolve(once, 259), once) << name;
        EXPECT_EQ(once.model.attention.kind, kind);
        const bool reads_window = kind == AttentionKind::window || kind == AttentionKind::dilated;
        EXPECT_EQ(once.model.attention.window, reads_window ? 5 : AttentionSpec{}.window) << name;
        EXPECT_EQ(once.model.attention.chunk, is_softmax(kind) ? AttentionSpec{}.chunk : 32) << name;
        EXPECT_EQ(once.model.attention.conv >= 0, !is_softmax(kind)) << name << " states its convolution";
    }
}

TEST(AttentionSpec, OfHybridsResolvesOnceForAll) {
    for (const std::string attention :
         {"kind = \"gdn\"\nevery = 4", "kind = \"ssd\"\nevery = 2\nminority = \"window\"\nrotary_in_hybrid = false",
          "layers = [\"dense\", \"window\", \"ssd\", \"gdn\"]",
          "layers = [\"moba\", \"elu\", \"lightning\", \"gla\"]\noutput_gate = 1"}) {
        const RunSpec once = resolved(attention);

        EXPECT_EQ(resolve(once, 259), once) << attention;
    }
}

TEST(AttentionSpec, IsTheSameHoweverItIsSaid) {
    EXPECT_EQ(resolved("layers = [\"gdn\", \"gdn\", \"gdn\", \"gdn\"]"), resolved("kind = \"gdn\""));
    EXPECT_EQ(resolved("kind = \"dense\"\nevery = 2"), resolved("kind = \"dense\""));
}

TEST(Notes, SayWhereSparseAttentionHidesNoKey) {
    const auto note_of = [](const std::string& kind) {
        return "model.attention: with these settings " + kind +
               " sees all keys of a context of 128, so it is dense attention";
    };

    EXPECT_THAT(notes(resolved("kind = \"moba\"\nblock = 32\ntop_k = 4")), ElementsAre(note_of("moba")));
    EXPECT_THAT(notes(resolved("kind = \"moba\"\nblock = 32\ntop_k = 9")), ElementsAre(note_of("moba")));
    EXPECT_THAT(notes(resolved("kind = \"window\"\nwindow = 128")), ElementsAre(note_of("window")));
    EXPECT_THAT(notes(resolved("kind = \"strided\"\nstride = 1")), ElementsAre(note_of("strided")));
    EXPECT_THAT(notes(resolved("kind = \"fixed\"\nblock = 128")), ElementsAre(note_of("fixed")));
    EXPECT_THAT(notes(resolved("kind = \"dilated\"\nwindow = 128\nstride = 1")), ElementsAre(note_of("dilated")));
    EXPECT_THAT(notes(resolved("kind = \"bigbird\"\nblock = 32")), ElementsAre(note_of("bigbird")));
    EXPECT_THAT(notes(resolved("kind = \"gdn\"\nevery = 2\nminority = \"window\"\nwindow = 500")),
                ElementsAre(note_of("window")));
}

TEST(Notes, SayNothingOtherwise) {
    for (const std::string attention :
         {"kind = \"dense\"", "kind = \"moba\"\nblock = 32\ntop_k = 3", "kind = \"window\"\nwindow = 127",
          "kind = \"strided\"\nstride = 2", "kind = \"fixed\"\nblock = 64", "kind = \"bigbird\"\nblock = 16",
          "kind = \"gdn\""}) {
        EXPECT_THAT(notes(resolved(attention)), IsEmpty()) << attention;
    }
}

}  // namespace
}  // namespace loglog
