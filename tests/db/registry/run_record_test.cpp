#include "db/registry/run_record.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "db/files/publish.hpp"
#include "engine/base/error.hpp"
#include "engine/base/nearest_name.hpp"
#include "tests/db/registry/sample_record.hpp"

namespace loglog {
namespace {

TEST(RunRecord, SurvivesJsonBitForBit) {
    RunRecord record = sample_record(3);
    record.final_val_loss = 0.1 + 0.2;
    record.flops = 1.2345678901234567e21;
    record.tokens = INT64_MAX;

    EXPECT_EQ(run_record_from_json(to_json(record)), record);
    EXPECT_EQ(run_record_from_json(to_json(RunRecord{})), RunRecord{});
}

TEST(RunRecord, RefusesJsonThatIsNoRecord) {
    EXPECT_THROW(run_record_from_json("[1]"), InputError);
    EXPECT_THROW(run_record_from_json("{"), InputError);
    EXPECT_THROW(run_record_from_json(R"({"layers": "four"})"), InputError);
    EXPECT_THROW(run_record_from_json(R"({"state": "dozing"})"), InputError);
}

TEST(RunRecord, NamesEveryStateBothWays) {
    for (const RunState state : {RunState::planned, RunState::running, RunState::ok, RunState::diverged,
                                 RunState::failed, RunState::stopped}) {
        EXPECT_EQ(run_state_from(to_text(state)), state);
    }
}

TEST(RunRecord, EveryColumnIsDocumented) {
    const std::string documentation = read_file(LOGLOG_SOURCE_DIR "/docs/formats.md");

    for (const std::string& column : run_columns()) {
        EXPECT_THAT(documentation, ::testing::HasSubstr("\n| `" + column + "` |"));
    }
}

TEST(UtcNow, IsIso8601) { EXPECT_THAT(utc_now(), ::testing::MatchesRegex("20..-..-..T..:..:..Z")); }

TEST(DidYouMean, IsSilentWhenNothingIsNear) {
    EXPECT_EQ(did_you_mean("zebra", run_columns()), "");
    EXPECT_EQ(did_you_mean("contxt", run_columns()), " (did you mean 'context'?)");
    EXPECT_EQ(did_you_mean("x", {}), "");
}

}  // namespace
}  // namespace loglog
