#include "experiments/run/curves.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "db/files/publish.hpp"
#include "engine/base/error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog {
namespace {

StepLine step_line(std::int64_t step, double loss) {
    StepLine line;
    line.step = step;
    line.loss = loss;
    return line;
}

EvalLine eval_line(std::int64_t step, double loss) { return {step, 0, loss, 0, 0, {loss, loss / 2}}; }

Journal undisturbed() {
    return {{OpenedLine{}, step_line(1, 5), step_line(2, 4), eval_line(2, 4.5), step_line(3, 3), step_line(4, 2),
             eval_line(4, 2.5), ClosedLine{}},
            0};
}

TEST(Curves, OfAResumedRunAreThoseOfAnUndisturbedOne) {
    const Curves expected = curves_from(undisturbed());
    // Killed after step 3, gone on from the checkpoint of step 2; killed at once, from nothing; stopped, from step 2.
    const Journal disturbed{{OpenedLine{},
                             step_line(1, 5),
                             step_line(2, 4),
                             eval_line(2, 4.5),
                             CheckpointLine{2},
                             step_line(3, 30),
                             ResumedLine{2, "", {}},
                             ResumedLine{0, "", {}},
                             step_line(1, 5),
                             step_line(2, 4),
                             eval_line(2, 4.5),
                             step_line(3, 3),
                             step_line(4, 20),
                             eval_line(4, 25),
                             ClosedLine{RunState::stopped, "", "", 4, 0},
                             ResumedLine{2, "", {}},
                             step_line(3, 3),
                             step_line(4, 2),
                             eval_line(4, 2.5),
                             ClosedLine{}},
                            0};

    EXPECT_EQ(curves_from(disturbed), expected);
    EXPECT_EQ(expected.train.size(), 4u);
    EXPECT_EQ(expected.eval.size(), 2u);
}

TEST(Curves, DropWhatAResumptionMadeObsoleteEvenBeforeNewStepsCome) {
    const Journal journal{{step_line(1, 5), step_line(2, 4), eval_line(2, 4.5), ResumedLine{1, "", {}}}, 0};

    const Curves curves = curves_from(journal);

    EXPECT_EQ(curves.train.size(), 1u);
    EXPECT_TRUE(curves.eval.empty());
}

TEST(Curves, SurviveTheFile) {
    const TemporaryFolder folder;
    const Curves curves = curves_from(undisturbed());

    write_curves(folder / "curves.h5", curves, {"id", "{}", "ok"});

    EXPECT_EQ(read_curves_file(folder / "curves.h5"), curves);
}

TEST(Curves, WithoutAnyStepSurviveTheFile) {
    const TemporaryFolder folder;

    write_curves(folder / "curves.h5", Curves{}, {"id", "{}", "failed"});

    EXPECT_EQ(read_curves_file(folder / "curves.h5"), Curves{});
}

TEST(Curves, ComeFromTheJournalUntilTheRunIsClosed) {
    const TemporaryFolder folder;
    EXPECT_EQ(read_curves(folder.path()), Curves{});
    JournalWriter::create(folder / "journal.jsonl").write(step_line(1, 5));
    EXPECT_EQ(read_curves(folder.path()).train.at(0).loss, 5);

    write_curves(folder / "curves.h5", curves_from(undisturbed()), {"id", "{}", "ok"});

    EXPECT_EQ(read_curves(folder.path()).train.size(), 4u);
}

}  // namespace
}  // namespace loglog
