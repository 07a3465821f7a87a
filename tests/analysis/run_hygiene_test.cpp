#include <fmt/format.h>
#include <gmock/gmock.h>

#include "analysis/inference/checks_runs.hpp"

namespace loglog {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

RunRecord run(int size, const std::string& schedule) {
    RunRecord record;
    record.id = "run" + std::to_string(size);
    record.state = RunState::ok;
    record.attention = "dense";
    record.layers = 2;
    record.non_embedding_params = 100'000 << size;
    record.tokens = 2'000'000 << size;
    record.unique_tokens = record.tokens;
    record.steps = record.planned_steps = 250 << size;
    record.lr = 4e-3;
    record.final_val_loss = 4 - 0.2 * size;
    record.spec = R"({"train": {"schedule": )" + schedule + "}}";
    return record;
}

std::vector<RunRecord> ladder(const std::string& schedule) {
    std::vector<RunRecord> runs;
    for (int size = 0; size < 4; ++size) { runs.push_back(run(size, schedule)); }
    return runs;
}

const std::string cosine = R"({"kind": "cosine", "warmup": 0.02, "min_ratio": 0.0})";
const std::string wsd = R"({"kind": "wsd", "warmup": 0.02, "cooldown": 0.2, "decay": "linear", "min_ratio": 0.0})";

std::vector<std::string> codes(const std::vector<RunRecord>& runs) {
    std::vector<std::string> result;
    for (const Warning& warning : hygiene_warnings(runs)) { result.push_back(warning.code); }
    return result;
}

std::string text_of(const std::vector<RunRecord>& runs, const std::string& code) {
    for (const Warning& warning : hygiene_warnings(runs)) {
        if (warning.code == code) { return warning.text; }
    }
    return {};
}

TEST(RunHygiene, RunsTrainedAlikeGiveNoCaveat) {
    EXPECT_THAT(codes(ladder(cosine)), IsEmpty());
    EXPECT_THAT(codes(ladder(wsd)), IsEmpty());
    // A long warm-up that is the same share of every run bends no law.
    EXPECT_THAT(codes(ladder(R"({"kind": "cosine", "warmup": 0.2, "min_ratio": 0.0})")), IsEmpty());
}

TEST(RunHygiene, AWarmupOfAFixedNumberOfStepsIsLongForSmallRuns) {
    const auto runs = ladder(R"({"kind": "cosine", "warmup": 100, "min_ratio": 0.0})");  // of 250, 500, 1000, 2000

    EXPECT_THAT(codes(runs), ::testing::ElementsAre("long_warmup"));
    EXPECT_THAT(text_of(runs, "long_warmup"), HasSubstr("up to 40%"));
    EXPECT_THAT(text_of(runs, "long_warmup"), HasSubstr("2 runs above 10%: run0, run1"));
}

TEST(RunHygiene, MixedSchedulesAreCounted) {
    auto runs = ladder(cosine);
    runs[3].spec = run(3, wsd).spec;

    EXPECT_THAT(codes(runs), ::testing::ElementsAre("mixed_schedules"));
    EXPECT_THAT(text_of(runs, "mixed_schedules"), HasSubstr("3 cosine, 1 wsd 0.2 linear"));
}

TEST(RunHygiene, LossesBeforeTheDecayAreNotMixedWithThoseAfterIt) {
    auto runs = ladder(cosine);
    runs[0].spec = run(0, R"({"kind": "constant", "warmup": 0.02})").spec;

    EXPECT_THAT(codes(runs), Contains("undecayed_losses_mixed"));
    EXPECT_THAT(text_of(runs, "undecayed_losses_mixed"), HasSubstr("1 of 4 losses"));

    auto cut = ladder(cosine);  // an imported checkpoint of a longer run
    cut[1].steps = *cut[1].planned_steps / 2;
    EXPECT_THAT(codes(cut), ::testing::ElementsAre("undecayed_losses_mixed"));
}

TEST(RunHygiene, RepeatedDataAreSaid) {
    auto runs = ladder(cosine);
    runs[3].unique_tokens = *runs[3].tokens / 4;

    EXPECT_THAT(codes(runs), ::testing::ElementsAre("repeated_data"));
    EXPECT_THAT(text_of(runs, "repeated_data"), HasSubstr("up to 4 times (run3)"));
}

TEST(RunHygiene, ABestRateAtTheEdgeOfThoseTriedIsUntuned) {
    auto runs = ladder(cosine);
    const auto try_rates = [&](double best) {
        auto tried = runs;
        for (const double lr : {1e-3, 2e-3, 4e-3, 8e-3}) {
            RunRecord one = run(0, cosine);
            one.id = fmt::format("lr{}", lr);
            one.lr = lr;
            one.final_val_loss = 4 + std::abs(std::log(lr / best));
            tried.push_back(one);
        }
        return tried;
    };

    EXPECT_THAT(codes(try_rates(8e-3)), Contains("untuned_learning_rate"));
    EXPECT_THAT(text_of(try_rates(8e-3), "untuned_learning_rate"), HasSubstr("N = 1e+05, D = 2e+06: 0.008"));
    EXPECT_THAT(codes(try_rates(2e-3)), Not(Contains("untuned_learning_rate")));
    EXPECT_THAT(codes(try_rates(2e-3)), Contains("mixed_learning_rates"));
}

TEST(RunHygiene, RatesAreComparedOnTheSeedsThatAllOfThemHad) {
    std::vector<RunRecord> runs;
    const auto add = [&](double lr, std::int64_t seed, double loss) {
        RunRecord one = run(0, cosine);
        one.id = fmt::format("lr{}-{}", lr, seed);
        one.lr = lr;
        one.seed = seed;
        one.final_val_loss = loss;
        runs.push_back(one);
    };
    add(1e-3, 1, 4.2);
    add(2e-3, 1, 4.1);
    add(4e-3, 1, 4.3);
    add(2e-3, 2, 4.9);  // only the best went on to a second seed, an unlucky one

    EXPECT_THAT(codes(runs), Not(Contains("untuned_learning_rate")));
}

TEST(RunHygiene, WhatIsNotRecordedIsNotJudged) {
    auto runs = ladder(cosine);
    for (auto& one : runs) {
        one.spec = "{}";
        one.unique_tokens.reset();
    }
    runs[0].spec.clear();

    EXPECT_THAT(codes(runs), IsEmpty());
}

TEST(RunHygiene, UnfinishedRunsDoNotCount) {
    auto runs = ladder(cosine);
    runs[0].spec = run(0, wsd).spec;
    runs[0].state = RunState::stopped;

    EXPECT_THAT(codes(runs), IsEmpty());
}

}  // namespace
}  // namespace loglog
