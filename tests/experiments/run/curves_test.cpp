#include "experiments/run/curves.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "db/files/publish.hpp"
#include "db/hdf5/hdf5_file.hpp"
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

TEST(Curves, OfAProbeKeepTheAccuracyOfEachLength) {
    const TemporaryFolder folder;
    Curves curves = curves_from(undisturbed());
    for (EvalLine& line : curves.eval) {
        line.accuracy = line.val_loss / 8;
        line.string_accuracy = 0.125;
        line.by_length = {{16, 0.5, 0.25}, {32, line.val_loss / 16, 0.0}};
    }

    write_curves(folder / "curves.h5", curves, {"id", "{}", "ok"});

    EXPECT_EQ(read_curves_file(folder / "curves.h5"), curves);
}

TEST(Curves, KeepTheLossOfRecallTokensWhereAnEvaluationHadSome) {
    const TemporaryFolder folder;
    Curves curves = curves_from(undisturbed());
    curves.eval[0].recall_share = 0;
    curves.eval[1].recall_share = 0.06;
    curves.eval[1].recall_loss = 1.5;

    write_curves(folder / "curves.h5", curves, {"id", "{}", "ok"});

    EXPECT_EQ(read_curves_file(folder / "curves.h5"), curves);
}

TEST(Curves, WithoutAccuracyOrRecallTokensAreWrittenAsBeforeThereWereAny) {
    const TemporaryFolder folder;

    write_curves(folder / "curves.h5", curves_from(undisturbed()), {"id", "{}", "ok"});

    const Hdf5File file = Hdf5File::open(folder / "curves.h5");
    for (const char* dataset : {"/eval/accuracy", "/eval/string_accuracy", "/eval/by_length", "/eval/recall_loss"}) {
        EXPECT_FALSE(file.contains(dataset)) << dataset;
    }
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
