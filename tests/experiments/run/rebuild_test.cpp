#include "experiments/run/rebuild.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "db/files/publish.hpp"
#include "db/registry/registry.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/curves.hpp"
#include "experiments/run/run_folder.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

RunRecord add_run(const std::filesystem::path& registry, const std::string& id, std::vector<std::string> tags = {}) {
    RunRecord plan;
    plan.id = id;
    plan.layers = 2;
    plan.flops_per_token = 1.0 / 3.0;
    plan.spec = R"({"train":{"lr":0.1}})";
    plan.tags = std::move(tags);
    return create_run_folder(registry, plan, "{}");
}

RunRecord train(const std::filesystem::path& registry, const std::string& id, RunState state) {
    LiveRun run = LiveRun::open(run_folder(registry, id), 0);
    StepLine step;
    step.step = 1;
    step.loss = 0.1 + 0.2;
    step.seconds = 0.7;
    run.journal().write(step);
    EvalLine evaluation;
    evaluation.step = 1;
    evaluation.val_loss = 0.1 + 0.2;
    evaluation.accuracy = 2.0 / 3.0;
    evaluation.recall_loss = 1.0 / 7.0;
    run.journal().write(evaluation);
    return run.close({.state = state, .reason = state == RunState::ok ? "" : "because"});
}

TEST(Rebuild, GivesTheSameRegistry) {
    const TemporaryFolder folder;
    {
        Registry registry = Registry::open(folder.path(), Access::write);
        registry.upsert(add_run(folder.path(), "planned", {"later"}));
        for (const auto state : {RunState::ok, RunState::diverged, RunState::failed, RunState::stopped}) {
            const std::string id = to_text(state);
            registry.upsert(add_run(folder.path(), id));
            registry.upsert(train(folder.path(), id, state));
        }
    }
    const auto before = Registry::open(folder.path(), Access::read).select();
    std::filesystem::remove(folder / "registry.sqlite");

    const RebuildReport report = rebuild_registry(folder.path());

    EXPECT_EQ(Registry::open(folder.path(), Access::read).select(), before);
    EXPECT_EQ(before.size(), 5u);
    EXPECT_EQ(before.back().accuracy, 2.0 / 3.0);
    EXPECT_EQ(before.back().recall_loss, 1.0 / 7.0);
    EXPECT_THAT(report.runs,
                UnorderedElementsAre(Pair(RunState::planned, 1), Pair(RunState::ok, 1), Pair(RunState::diverged, 1),
                                     Pair(RunState::failed, 1), Pair(RunState::stopped, 1)));
    EXPECT_THAT(report.unreadable, IsEmpty());
}

TEST(Rebuild, LeavesOutFoldersItCannotReadAndSaysWhy) {
    const TemporaryFolder folder;
    add_run(folder.path(), "good");
    add_run(folder.path(), "damaged");
    write_file(folder / "runs/damaged/run.json", "{", Durability::process);
    add_run(folder.path(), "original");
    std::filesystem::rename(folder / "runs/original", folder / "runs/renamed");
    std::filesystem::create_directories(folder / "runs/.new.partial");
    write_file(folder / "runs/note.txt", "not a run", Durability::process);

    const RebuildReport report = rebuild_registry(folder.path());

    ASSERT_EQ(report.unreadable.size(), 2u);
    EXPECT_THAT(report.unreadable[0].second, HasSubstr("run.json is damaged"));
    EXPECT_THAT(report.unreadable[1].second, HasSubstr("folder's name is not the id"));
    EXPECT_EQ(Registry::open(folder.path(), Access::read).select().size(), 1u);
}

TEST(Rebuild, WritesTheCurvesThatAKillPrevented) {
    const TemporaryFolder folder;
    add_run(folder.path(), "a");
    train(folder.path(), "a", RunState::ok);
    add_run(folder.path(), "planned");
    const Curves curves = read_curves_file(folder / "runs/a/curves.h5");
    std::filesystem::remove(folder / "runs/a/curves.h5");

    rebuild_registry(folder.path());

    EXPECT_EQ(read_curves_file(folder / "runs/a/curves.h5"), curves);
    EXPECT_FALSE(std::filesystem::exists(folder / "runs/planned/curves.h5"));
}

TEST(Rebuild, RefusesAFolderWithoutRunsAndTouchesNothing) {
    const TemporaryFolder folder;

    EXPECT_THROW(rebuild_registry(folder / "nowhere"), InputError);

    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Rebuild, LosesNothingOfAWriterThatHasTheRegistryOpen) {
    const TemporaryFolder folder;
    Registry writer = Registry::open(folder.path(), Access::write);
    writer.upsert(add_run(folder.path(), "a"));

    rebuild_registry(folder.path());
    writer.upsert(add_run(folder.path(), "b"));

    EXPECT_EQ(Registry::open(folder.path(), Access::read).select().size(), 2u);
}

TEST(Rebuild, WaitsForATransactionAndGivesUpIfItDoesNotEnd) {
    const TemporaryFolder folder;
    Registry::open(folder.path(), Access::write).upsert(add_run(folder.path(), "a"));
    SQLite::Database locked{(folder / "registry.sqlite").string(), SQLite::OPEN_READWRITE};
    locked.exec("BEGIN IMMEDIATE");

    try {
        rebuild_registry(folder.path());
        FAIL();
    } catch (const Error& error) { EXPECT_THAT(error.what(), HasSubstr("locked by another process")); }
}

TEST(Refresh, LearnsFromTheFoldersHowRunsEnded) {
    const TemporaryFolder folder;
    {
        Registry registry = Registry::open(folder.path(), Access::write);
        registry.upsert(add_run(folder.path(), "a"));
        registry.upsert(add_run(folder.path(), "b"));
    }
    train(folder.path(), "a", RunState::diverged);

    refresh_registry(folder.path());

    const Registry registry = Registry::open(folder.path(), Access::read);
    EXPECT_EQ(registry.find("a")->state, RunState::diverged);
    EXPECT_EQ(registry.find("b")->state, RunState::planned);
}

TEST(Refresh, DoesNothingWithoutARegistry) {
    const TemporaryFolder folder;

    refresh_registry(folder.path());

    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace loglog
