#include <gmock/gmock.h>

#include <cmath>
#include <map>

#include "analysis/report/curve_axes.hpp"
#include "analysis/report/size_classes.hpp"
#include "analysis/report/utilisation.hpp"

// The parts that charts are made of.

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ReportRun run_of(const std::string& id, std::int64_t n = 1000) {
    ReportRun run;
    run.record.id = id;
    run.record.state = RunState::ok;
    run.record.non_embedding_params = n;
    return run;
}

Report report_of(std::vector<ReportRun> runs) {
    Report report;
    report.input.runs = std::move(runs);
    return report;
}

RankTime time_of(const std::string& run, const std::string& job, std::vector<int> ranks, double start, double end) {
    return {run, job, std::move(ranks), 2, start, end, "ok"};
}

TEST(Utilisation, PutsJobsOneAfterAnotherAndSaysWhatShareOfTheRanksWasUsed) {
    Report report = report_of({run_of("a"), run_of("b"), run_of("c")});
    report.input.timeline = {time_of("a", "2025-01-01T00:00:00Z", {0}, 10, 20),
                             time_of("b", "2025-01-01T00:00:00Z", {1}, 10, 15),
                             time_of("c", "2025-01-02T00:00:00Z", {0, 1}, 5, 10),
                             time_of("of another sweep", "2025-01-02T00:00:00Z", {0}, 0, 1000)};

    const auto use = utilisation_of(report);

    ASSERT_TRUE(use);
    EXPECT_EQ(use->unit, "seconds");
    EXPECT_THAT(use->lanes, ElementsAre("rank 0", "rank 1"));
    ASSERT_EQ(use->bars.size(), 4u) << "a run of two ranks has a bar on each";
    EXPECT_EQ(use->bars[0].start, 0);
    EXPECT_EQ(use->bars[2].start, 10) << "the second job follows the first at once";
    EXPECT_EQ(use->bars[3].end, 15);
    EXPECT_THAT(use->description, HasSubstr("83% of the"));  // (10 + 5 + 2 * 5) of 2 * 15
    EXPECT_THAT(use->description, HasSubstr("each of 2 jobs"));
}

TEST(Utilisation, LongSpansAreToldInMinutesAndHours) {
    Report report = report_of({run_of("a")});
    report.input.timeline = {time_of("a", "2025-01-01T00:00:00Z", {0}, 0, 1200)};
    EXPECT_EQ(utilisation_of(report)->unit, "minutes");
    EXPECT_EQ(utilisation_of(report)->bars[0].end, 20);
    report.input.timeline[0].end = 72'000;
    EXPECT_EQ(utilisation_of(report)->unit, "hours");
}

TEST(Utilisation, WithoutTimelineRunsThatOverlapOnAHostHaveLanesOfTheirOwn) {
    std::vector<ReportRun> runs{run_of("a"), run_of("b"), run_of("c")};
    for (auto& run : runs) { run.record.host = "node1"; }
    runs[0].record.finished_at = "2025-01-01T00:01:40Z";  // 0 to 100 s
    runs[0].record.seconds = 100;
    runs[1].record.finished_at = "2025-01-01T00:01:50Z";  // 60 to 110 s: beside the first
    runs[1].record.seconds = 50;
    runs[2].record.finished_at = "2025-01-01T00:02:40Z";  // 110 to 160 s: after it
    runs[2].record.seconds = 50;

    const auto use = utilisation_of(report_of(runs));

    ASSERT_TRUE(use);
    EXPECT_THAT(use->lanes, ElementsAre("node1 / 1", "node1 / 2"));
    EXPECT_EQ(use->bars[1].lane, "node1 / 2");
    EXPECT_EQ(use->bars[2].lane, "node1 / 1");
}

TEST(Utilisation, IsNotShownWhereNothingIsKnown) { EXPECT_FALSE(utilisation_of(report_of({run_of("a")}))); }

TEST(SecondsOfUtc, ReadsTimesAndNothingElse) {
    EXPECT_EQ(seconds_of_utc("1970-01-02T00:00:01Z"), 86'401);
    EXPECT_EQ(seconds_of_utc("2024-02-29T12:00:00Z"), 1'709'208'000);
    for (const char* text : {"", "2025-02-29T12:00:00Z", "2025-01-01 12:00", "2025-01-01T12:00:00+1"}) {
        EXPECT_FALSE(seconds_of_utc(text)) << text;
    }
}

TEST(SizeClasses, AreTheSizesThemselvesWhereTheyAreFew) {
    const SizeClasses sizes{report_of({run_of("a", 1000), run_of("b", 64'000), run_of("c", 1000)})};

    ASSERT_EQ(sizes.labels().size(), 2u);
    EXPECT_EQ(sizes.label(1000), sizes.labels()[0]);
    EXPECT_EQ(sizes.label(64'000), sizes.labels()[1]);
    EXPECT_EQ(sizes.label(0), "");
    EXPECT_EQ(sizes.colours().size(), 2u);
}

TEST(SizeClasses, AreEvenInTheLogarithmWhereSizesAreManyAndHoldEachOne) {
    std::vector<ReportRun> runs;
    for (int i = 0; i < 100; ++i) {
        runs.push_back(run_of("r" + std::to_string(i), std::llround(1e5 * std::pow(1.07, i))));
    }
    const SizeClasses sizes{report_of(runs)};

    EXPECT_EQ(sizes.labels().size(), 9u);
    std::map<std::string, int> members;
    for (const auto& run : runs) {
        const std::string label = sizes.label(static_cast<double>(*run.record.non_embedding_params));
        EXPECT_THAT(sizes.labels(), ::testing::Contains(label));
        ++members[label];
    }
    for (const auto& [label, count] : members) { EXPECT_NEAR(count, 100.0 / 9, 1.5) << label; }
}

TEST(CurvePositions, OfEvaluationsLieBetweenTheTrainingStepsAroundThem) {
    ReportRun run = run_of("a");
    run.record.flops_per_token = 10;
    run.curve.tokens = {100, 200, 300};
    run.curve.steps = {1, 2, 3};
    run.curve.seconds = {5, 7, 9};
    run.curve.val_tokens = {0, 150, 300};

    EXPECT_THAT(curve_positions(run, CurveKind::validation, CurveAxis::tokens), ElementsAre(0, 150, 300));
    EXPECT_THAT(curve_positions(run, CurveKind::validation, CurveAxis::steps), ElementsAre(0, 1.5, 3));
    EXPECT_THAT(curve_positions(run, CurveKind::validation, CurveAxis::seconds), ElementsAre(0, 6, 9));
    EXPECT_THAT(curve_positions(run, CurveKind::train, CurveAxis::flops), ElementsAre(1000, 2000, 3000));
    run.record.flops_per_token.reset();
    run.curve.seconds.clear();
    EXPECT_THAT(curve_positions(run, CurveKind::train, CurveAxis::flops), IsEmpty());
    EXPECT_THAT(curve_positions(run, CurveKind::train, CurveAxis::seconds), IsEmpty());
}

}  // namespace
}  // namespace loglog
