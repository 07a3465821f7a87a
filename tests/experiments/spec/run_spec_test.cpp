#include "experiments/spec/run_spec.hpp"
#include "experiments/spec/enum_names.hpp"

#include <gmock/gmock.h>

#include "engine/base/error.hpp"
#include "experiments/spec/enum_names.hpp"
#include "experiments/spec/fields.hpp"

namespace loglog {
namespace {

using ::testing::HasSubstr;

RunSpec small() {
    RunSpec spec;
    spec.data.path = "data/python";
    spec.model.width = 96;
    return spec;
}

std::string message_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const InputError& error) { return error.what(); }
    return "no error";
}

TEST(Resolve, FillsWhatFollowsFromOtherFields) {
    const RunSpec spec = resolve(small(), 259);

    EXPECT_EQ(spec.model.vocab, 259);
    EXPECT_EQ(spec.model.head_dim, 32);
    EXPECT_EQ(spec.model.heads, 3);
    EXPECT_EQ(spec.model.kv_heads, 3);
    EXPECT_EQ(spec.model.mlp_width, 384);
    EXPECT_EQ(spec.train.mup.base_head_dim, 32);
    EXPECT_EQ(spec.train.tokens, 122 * 8192);  // 1e6 / 8192 = 122.07
    EXPECT_EQ(total_steps(spec), 122);
    EXPECT_EQ(spec.train.eval_every, 12);
    EXPECT_EQ(resolve(spec, 259), spec) << "resolving is idempotent";
}

TEST(Resolve, RoundsSwigluWidthToAMultipleOfEight) {
    RunSpec spec = small();
    spec.model.activation = ActivationKind::swiglu;

    EXPECT_EQ(resolve(spec, 259).model.mlp_width, 256);  // 8/3 x 96
    spec.model.width = 160;
    EXPECT_EQ(resolve(spec, 259).model.mlp_width, 424);  // 426.7 is nearer to 424 than to 432
}

TEST(Resolve, TrainsAtLeastOneBatch) {
    RunSpec spec = small();
    spec.train.tokens = 10;
    EXPECT_EQ(total_steps(resolve(spec, 259)), 1);
}

TEST(Resolve, WantsAVocabularyThatHoldsTheData) {
    RunSpec spec = small();
    spec.model.vocab = 100;

    EXPECT_THAT(message_of([&] { resolve(spec, 259); }), HasSubstr("model.vocab: is 100 but must be at least 259"));
    EXPECT_THAT(message_of([&] { resolve(small(), 0); }), HasSubstr("no data set to take it from"));
}

TEST(Schedule, CountsWarmupInFractionsOrSteps) {
    RunSpec spec = small();
    spec.train.tokens = 100 * 8192;
    spec.train.schedule = {.kind = ScheduleKind::wsd, .warmup = 0.02, .cooldown = 0.25};

    EXPECT_EQ(warmup_steps(spec), 2);
    EXPECT_EQ(cooldown_steps(spec), 25);
    spec.train.schedule.warmup = 30;
    EXPECT_EQ(warmup_steps(spec), 30);
    spec.train.schedule.warmup = 90;
    EXPECT_EQ(cooldown_steps(spec), 10) << "what the warm-up leaves";
    spec.train.schedule.kind = ScheduleKind::cosine;
    EXPECT_EQ(cooldown_steps(spec), 0);
}

TEST(SpecJson, RoundTripsEveryField) {
    RunSpec spec = small();
    spec.name = "a \"quoted\" name";
    spec.model.attention = {.kind = AttentionKind::gdn, .every = 4};
    spec.model.norm = NormKind::rms;
    spec.train.optimizer.lr = 0.1 + 0.2;
    spec.train.optimizer.betas = {0.8, 1.0 / 3};
    spec.train.seed = 1ull << 40;
    spec.layout.tp = 2;

    EXPECT_EQ(run_spec_from_json(to_json(spec)), spec);
    EXPECT_EQ(run_spec_from_json(to_json(resolve(spec, 259), 2)), resolve(spec, 259));
}

TEST(SpecJson, HoldsEveryKeySorted) {
    const std::string json = to_json(small());

    EXPECT_THAT(json, ::testing::StartsWith(R"({"data":{"path":"data/python","probe":{"examples":100000,)"));
    EXPECT_THAT(json, HasSubstr(R"("synthetic":{"documents":0,"seed":0}},"layout")"));
    EXPECT_THAT(json, HasSubstr(R"("batch_tokens":8192)"));
    EXPECT_THAT(json, HasSubstr(R"("betas":[0.9,0.95])"));
}

TEST(SpecJson, RefusesWhatIsNoSpec) {
    EXPECT_THROW(run_spec_from_json("[1]"), InputError);
    EXPECT_THROW(run_spec_from_json("{"), InputError);
    EXPECT_THAT(message_of([] { run_spec_from_json(R"({"model":{"widht":1}})"); }), HasSubstr("model.width"));
}

TEST(RunId, NamesSpecDataAndCode) {
    const RunSpec spec = resolve(small(), 259);
    const std::string id = run_id(spec, "data", "code");

    EXPECT_EQ(id.size(), 12u);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz"), std::string::npos) << id;
    EXPECT_NE(run_id(spec, "other data", "code"), id);
    EXPECT_NE(run_id(spec, "data", "other code"), id);
    EXPECT_EQ(run_id(spec, "data", "code", 2), id + "-2");
}

TEST(RunId, LeavesOutWhatChangesNoResult) {
    const RunSpec spec = resolve(small(), 259);
    RunSpec same = spec;
    same.name = "another";
    same.data.path = "elsewhere/python";
    same.train.threads = 7;
    same.train.checkpoint_every = 3;
    same.train.keep_last = 3;
    same.train.keep_at = {5};
    same.layout.dp = 2;
    same.layout.reduction = Reduction::tree;

    EXPECT_EQ(run_id(same, "data", "code"), run_id(spec, "data", "code"));
}

TEST(RunId, ChangesWithEveryOtherField) {
    const RunSpec spec = resolve(small(), 259);
    const std::string id = run_id(spec, "data", "code");

    for (const std::string& key : field_keys()) {
        if (key == "name" || key == "data.path" || key == "train.threads" || key == "train.checkpoint_every" ||
            key.starts_with("train.keep_") || key.starts_with("layout.")) {
            continue;
        }
        RunSpec other = spec;
        const FieldValue value = value_of(spec, key);
        bool changed = false;
        const std::vector<FieldValue> candidates{{std::int64_t{5}},
                                                 {0.7},
                                                 {FieldValue::List{{0.5}, {0.5}}},
                                                 {"rms"},
                                                 {"rotary"},
                                                 {"relu"},
                                                 {"gdn"},
                                                 {"copy"},
                                                 {FieldValue::List{{"gdn"}, {"dense"}}},
                                                 {std::int64_t{1}},
                                                 {"constant"},
                                                 {"sqrt"},
                                                 {"mup"},
                                                 {"bf16"},
                                                 {true},
                                                 {false}};
        for (const FieldValue& candidate : candidates) {
            RunSpec attempt = spec;
            if (!assign(attempt, key, candidate) && value_of(attempt, key) != value) {
                other = attempt;
                changed = true;
            }
        }
        const bool has_one_value = key == "model.family" || key == "train.optimizer.kind";
        EXPECT_NE(changed, has_one_value) << key;
        if (changed) { EXPECT_NE(run_id(other, "data", "code"), id) << key; }
    }
}

TEST(RunId, IsStableAcrossVersionsOfThisCode) {
    // Ids name folders that people keep: this value may only change together with the set of a spec's fields.
    EXPECT_EQ(run_id(resolve(small(), 259), "data", "code"), "ygwyakb8xvqm");
}

TEST(RequireTrainable, NamesWhatThisBuildLacks) {
    RunSpec spec = small();
    for (const auto& [kind, name] : EnumNames<AttentionKind>::values) {
        spec.model.attention.kind = kind;
        EXPECT_NO_THROW(require_trainable(spec)) << name;
    }
    spec.train.precision = Precision::bf16;

    const std::string message = message_of([&] { require_trainable(spec); });

    EXPECT_THAT(message, HasSubstr("precision 'bf16' is not available"));
}

}  // namespace
}  // namespace loglog
