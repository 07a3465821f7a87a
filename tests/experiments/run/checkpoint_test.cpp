// Checkpoints of one process: which stay, and what a kill or a cut leaves of them.
#include "experiments/run/checkpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "db/files/publish.hpp"
#include "db/hdf5/hdf5_file.hpp"
#include "engine/base/error.hpp"
#include "tests/experiments/run/checkpoint_case.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Steps = std::vector<std::int64_t>;

class OneProcess {
  public:
    explicit OneProcess(const std::filesystem::path& folder) : folder_{folder} { rank_.fill(); }

    ShardedState state() { return {.parameters = rank_.parameters(), .pieces = rank_.pieces()}; }
    void store(std::int64_t step, const KeepRules& rules) {
        store_checkpoint(folder_, state(), {"id", step, "t"}, rules);
    }
    std::string differences() { return rank_.differences(); }

  private:
    std::filesystem::path folder_;
    RankState rank_{{{1, 1, 1}}, {}};
};

Steps found(const std::filesystem::path& folder) {
    Steps steps;
    for (const auto& name : newest_checkpoints(folder)) { steps.push_back(name.value_or(-1)); }
    return steps;
}

TEST(ObsoleteSteps, AreThoseBeyondTheLastFew) {
    EXPECT_THAT(obsolete_steps(Steps{10, 20, 30, 40}, 40, {.keep_last = 2}), ElementsAre(10, 20));
    EXPECT_THAT(obsolete_steps(Steps{10, 20}, 20, {.keep_last = 5}), IsEmpty());
    EXPECT_THAT(obsolete_steps(Steps{}, 20, {.keep_last = 1}), IsEmpty());
}

TEST(ObsoleteSteps, CountTheNewestWhereItIsAFileOfItsOwn) {
    EXPECT_THAT(obsolete_steps(Steps{10, 20}, 30, {.keep_last = 2}), ElementsAre(10));
    EXPECT_THAT(obsolete_steps(Steps{10, 20}, 30, {.keep_last = 1}), ElementsAre(10, 20));
}

TEST(ObsoleteSteps, SpareThoseKeptForGood) {
    EXPECT_THAT(obsolete_steps(Steps{10, 20, 30, 40}, 40, {.keep_last = 1, .keep_at = {20}}), ElementsAre(10, 30));
}

TEST(ObsoleteSteps, AreAlsoThoseOfAFutureThatIsGone) {
    EXPECT_THAT(obsolete_steps(Steps{10, 20, 30}, 20, {.keep_last = 3, .keep_at = {30}}), ElementsAre(30));
}

TEST(Checkpoint, LeavesOneFileUnlessAskedForMore) {
    const TemporaryFolder folder;
    OneProcess run{folder.path()};

    run.store(10, {});
    run.store(20, {});

    EXPECT_FALSE(std::filesystem::exists(folder / "checkpoints"));
    EXPECT_EQ(Hdf5File::open(checkpoint_file(folder.path())).read_attribute("/", "step"), "20");
}

TEST(Checkpoint, KeepsTheLastFewAndThoseOfGivenSteps) {
    const TemporaryFolder folder;
    OneProcess run{folder.path()};

    for (std::int64_t step = 10; step <= 50; step += 10) { run.store(step, {.keep_last = 2, .keep_at = {20}}); }

    EXPECT_THAT(found(folder.path()), ElementsAre(50, 40, 20));
    EXPECT_EQ(Hdf5File::open(checkpoint_file(folder.path())).read_attribute("/", "step"), "50");
    remove_checkpoints(folder.path(), {.keep_last = 2, .keep_at = {20}});
    EXPECT_THAT(found(folder.path()), ElementsAre(20));
}

TEST(Checkpoint, KeptForGoodSurvivesThatTheNewestIsReplaced) {
    const TemporaryFolder folder;
    OneProcess run{folder.path()};

    for (std::int64_t step = 10; step <= 30; step += 10) { run.store(step, {.keep_at = {20}}); }

    EXPECT_THAT(found(folder.path()), ElementsAre(-1, 20));
    EXPECT_EQ(restore_newest(folder.path(), run.state())->label.step, 30);
}

TEST(Checkpoint, AKillBeforeItIsMadeTheNewestLosesNothing) {
    const TemporaryFolder folder;
    OneProcess run{folder.path()};
    run.store(10, {.keep_last = 2});

    save_checkpoint(kept_checkpoint_file(folder.path(), 20), run.state(), {"id", 20, "t"});

    EXPECT_EQ(restore_newest(folder.path(), run.state())->label.step, 20);
}

TEST(Checkpoint, AKillWhileItIsWrittenLeavesTheOlderOne) {
    const TemporaryFolder folder;
    OneProcess run{folder.path()};
    run.store(10, {});
    const pid_t child = fork();
    if (child == 0) {
        auto half = Hdf5File::create(checkpoint_file(folder.path()));
        half.write_attribute("/", "step", "20");
        kill(getpid(), SIGKILL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(std::filesystem::exists(partial_path(checkpoint_file(folder.path()))));

    const auto restored = restore_newest(folder.path(), run.state());

    EXPECT_EQ(restored->label.step, 10);
    EXPECT_THAT(restored->refused, IsEmpty());
    EXPECT_EQ(run.differences(), "");
}

std::string message_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) { return error.what(); }
    return "nothing was thrown";
}

TEST(Checkpoint, CutShortIsRefusedForAnOlderOneWhateverIsMissing) {
    const TemporaryFolder folder;
    OneProcess run{folder.path()};
    run.store(10, {.keep_last = 2});
    run.store(20, {.keep_last = 2});
    const auto newest = kept_checkpoint_file(folder.path(), 20);
    for (const double left : {0.999, 0.5, 0.01, 0.0}) {
        std::filesystem::resize_file(
            newest, static_cast<std::uintmax_t>(left * static_cast<double>(std::filesystem::file_size(newest))));

        const auto restored = restore_newest(folder.path(), run.state());

        EXPECT_EQ(restored->label.step, 10) << left;
        EXPECT_THAT(restored->refused, ElementsAre(HasSubstr("20.h5"))) << left;
    }
}

TEST(Checkpoint, SaysWhyWhenNoneCanBeRead) {
    const TemporaryFolder folder;
    OneProcess run{folder.path()};
    run.store(10, {});
    std::filesystem::resize_file(checkpoint_file(folder.path()), 100);

    EXPECT_THAT(message_of([&] { restore_newest(folder.path(), run.state()); }),
                HasSubstr("checkpoint.h5: cannot be read as HDF5"));
}

TEST(Checkpoint, RefusesARunOfAnotherShapeByName) {
    const TemporaryFolder folder;
    OneProcess run{folder.path()};
    run.store(10, {});
    auto config = checkpoint_config();
    config.mlp_width = 32;
    Decoder other{config};

    EXPECT_THAT(message_of([&] { load_checkpoint(checkpoint_file(folder.path()), other.parameters()); }),
                HasSubstr("the file belongs to another run"));
}

TEST(Checkpoint, OfAPartOfTheModelAloneIsRefused) {
    const TemporaryFolder folder;
    RankState half{{{1, 2, 1}}, {}};

    EXPECT_THAT(message_of([&] {
                    save_checkpoint(folder / "checkpoint.h5",
                                    ShardedState{.parameters = half.parameters(), .pieces = half.pieces()}, {});
                }),
                HasSubstr("is not all here"));
}

}  // namespace
}  // namespace loglog::testing
