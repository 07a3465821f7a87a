#include "db/registry/registry.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>

#include "db/files/publish.hpp"
#include "db/registry/registry_migrations.hpp"
#include "engine/base/error.hpp"
#include "tests/db/registry/sample_record.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Registry, GivesBackEveryColumn) {
    const TemporaryFolder folder;
    const RunRecord stored = sample_record(7);
    Registry registry = Registry::open(folder.path(), Access::write);

    registry.upsert(stored);

    EXPECT_EQ(registry.find("run007"), stored);
    EXPECT_EQ(Registry::open(folder.path(), Access::read).find("run007"), stored);
    EXPECT_EQ(registry.find("run008"), std::nullopt);
}

TEST(Registry, GivesBackUnknownValuesAsUnknown) {
    const TemporaryFolder folder;
    RunRecord stored;
    stored.id = "a";
    Registry registry = Registry::open(folder.path(), Access::write);

    registry.upsert(stored);

    EXPECT_EQ(registry.find("a"), stored);
    const Table table = registry.query({.where = "final_val_loss IS NULL AND finished_at IS NULL AND tags = ''"});
    EXPECT_EQ(table.rows.size(), 1u);
}

TEST(Registry, StoresNumbersThatAreNoneAsUnknown) {
    const TemporaryFolder folder;
    RunRecord stored = sample_record(1);
    stored.final_val_loss = std::nan("");
    stored.best_val_loss = std::numeric_limits<double>::infinity();
    Registry registry = Registry::open(folder.path(), Access::write);

    registry.upsert(stored);

    EXPECT_EQ(registry.find(stored.id)->final_val_loss, std::nullopt);
    EXPECT_EQ(registry.find(stored.id)->best_val_loss, std::nullopt);
}

TEST(Registry, ReplacesARunAndItsTags) {
    const TemporaryFolder folder;
    Registry registry = Registry::open(folder.path(), Access::write);
    registry.upsert(sample_record(1));
    RunRecord later = sample_record(2);
    later.id = sample_record(1).id;
    later.tags = {"red"};

    registry.upsert(later);

    EXPECT_THAT(registry.select(), ElementsAre(later));
}

TEST(Registry, ChangesStateAndTagsOfKnownRunsOnly) {
    const TemporaryFolder folder;
    Registry registry = Registry::open(folder.path(), Access::write);
    registry.upsert(sample_record(1));
    const std::vector<std::string> tags{"good", "paper"};

    registry.set_state("run001", RunState::failed, "the disk was full");
    registry.set_tags("run001", tags);

    EXPECT_EQ(registry.find("run001")->state, RunState::failed);
    EXPECT_EQ(registry.find("run001")->state_reason, "the disk was full");
    EXPECT_EQ(registry.find("run001")->tags, tags);
    EXPECT_THROW(registry.set_state("absent", RunState::ok), InputError);
    EXPECT_THROW(registry.set_tags("absent", tags), InputError);
}

TEST(Registry, AddsAllOrNoneOfSeveralRuns) {
    const TemporaryFolder folder;
    Registry registry = Registry::open(folder.path(), Access::write);
    std::vector<RunRecord> records{sample_record(1), sample_record(2)};
    records[1].tags = {"fine"};
    {
        SQLite::Database other{(folder / "registry.sqlite").string(), SQLite::OPEN_READWRITE};
        other.exec(
            "CREATE TRIGGER refuse BEFORE INSERT ON run_tag WHEN new.tag = 'fine' "
            "BEGIN SELECT raise(ABORT, 'refused'); END");
    }

    EXPECT_THROW(registry.upsert(records), Error);

    EXPECT_THAT(registry.select(), IsEmpty());
}

TEST(Registry, FindsRunsByTheStartOfIdOrName) {
    const TemporaryFolder folder;
    Registry registry = Registry::open(folder.path(), Access::write);
    RunRecord named = sample_record(12);
    named.name = "run001";
    for (const RunRecord& record : {sample_record(10), sample_record(1), named}) { registry.upsert(record); }

    const auto ids = [&](const char* prefix) {
        std::vector<std::string> found;
        for (const auto& record : registry.find_by_prefix(prefix)) { found.push_back(record.id); }
        return found;
    };

    EXPECT_THAT(ids("run01"), ElementsAre("run010", "run012"));
    EXPECT_THAT(ids("run010"), ElementsAre("run010"));
    EXPECT_THAT(ids("run001"), ElementsAre("run001", "run012"));
    EXPECT_THAT(ids("name10"), ElementsAre("run010"));
    EXPECT_THAT(ids("x' or '1'='1"), IsEmpty());
}

TEST(Registry, SaysWhatIsMissingWhenThereIsNone) {
    const TemporaryFolder folder;

    try {
        Registry::open(folder / "nowhere", Access::read);
        FAIL();
    } catch (const InputError& error) { EXPECT_THAT(error.what(), HasSubstr("holds no registry")); }
    EXPECT_FALSE(std::filesystem::exists(folder / "nowhere"));
}

TEST(Registry, NamesTheWriterThatLocksIt) {
    const TemporaryFolder folder;
    Registry holder = Registry::open(folder.path(), Access::write);
    Registry waiting = Registry::open(folder.path(), Access::write, std::chrono::milliseconds{20});
    SQLite::Database locked{(folder / "registry.sqlite").string(), SQLite::OPEN_READWRITE};
    locked.exec("BEGIN EXCLUSIVE");

    try {
        waiting.upsert(sample_record(1));
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("registry.sqlite is locked by another process"));
        EXPECT_THAT(error.what(), HasSubstr("process " + std::to_string(::getpid()) + " on "));
        EXPECT_EQ(error.kind(), ErrorKind::work);
    }
    locked.exec("ROLLBACK");
    waiting.upsert(sample_record(1));
    EXPECT_EQ(holder.select().size(), 1u);
}

TEST(Registry, LeavesNothingButTheFileBehind) {
    const TemporaryFolder folder;

    Registry::open(folder.path(), Access::write).upsert(sample_record(1));

    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator{folder.path()}) {
        names.push_back(entry.path().filename().string());
    }
    EXPECT_THAT(names, ElementsAre("registry.sqlite"));
}

TEST(Registry, ReadsWhileAnotherConnectionPreparesAChange) {
    const TemporaryFolder folder;
    Registry::open(folder.path(), Access::write).upsert(sample_record(1));
    SQLite::Database other{(folder / "registry.sqlite").string(), SQLite::OPEN_READWRITE};
    other.exec("BEGIN IMMEDIATE; UPDATE run SET width = 1");

    EXPECT_THAT(Registry::open(folder.path(), Access::read, std::chrono::milliseconds{0}).select(),
                ElementsAre(sample_record(1)));
}

TEST(Registry, IsReadAfterAKillWithinACommit) {
    const TemporaryFolder folder;
    Registry::open(folder.path(), Access::write).upsert(sample_record(1));
    const pid_t child = ::fork();
    if (child == 0) {
        SQLite::Database other{(folder / "registry.sqlite").string(), SQLite::OPEN_READWRITE};
        other.exec("PRAGMA cache_size = 1; BEGIN IMMEDIATE; UPDATE run SET spec = hex(zeroblob(200000))");
        ::raise(SIGKILL);  // with changed pages spilled to the file and the journal beside it
    }
    ::waitpid(child, nullptr, 0);
    ASSERT_TRUE(std::filesystem::exists(folder / "registry.sqlite-journal"));

    EXPECT_THAT(Registry::open(folder.path(), Access::read).select(), ElementsAre(sample_record(1)));
}

TEST(Registry, RefusesANewerSchema) {
    const TemporaryFolder folder;
    Registry::open(folder.path(), Access::write);
    SQLite::Database{(folder / "registry.sqlite").string(), SQLite::OPEN_READWRITE}.exec(
        "INSERT INTO schema_migration VALUES (999, '0999_future', '')");

    for (const Access access : {Access::read, Access::write}) {
        try {
            Registry::open(folder.path(), access);
            FAIL();
        } catch (const InputError& error) {
            EXPECT_THAT(error.what(), HasSubstr("version 999"));
            EXPECT_THAT(error.what(), HasSubstr("version " + std::to_string(registry_migrations().back().version)));
        }
    }
    EXPECT_THROW(Registry::replace(folder.path(), [] { return std::vector<RunRecord>{}; }), InputError);
}

TEST(Registry, ReplaceLeavesJustTheNewRecords) {
    const TemporaryFolder folder;
    Registry::open(folder.path(), Access::write).upsert(sample_record(1));

    Registry::replace(folder.path(), [] { return std::vector{sample_record(2), sample_record(3)}; });

    const auto records = Registry::open(folder.path(), Access::read).select();
    EXPECT_THAT(records, ElementsAre(sample_record(2), sample_record(3)));
}

TEST(Registry, ReplaceRecoversFromADamagedFile) {
    const TemporaryFolder folder;
    write_file(folder / "registry.sqlite", std::string(9000, 'z'), Durability::process);
    EXPECT_THROW(Registry::open(folder.path(), Access::read), InputError);

    Registry::replace(folder.path(), [] { return std::vector{sample_record(2)}; });

    EXPECT_EQ(Registry::open(folder.path(), Access::read).select().size(), 1u);
}

TEST(Registry, ReplaceKeepsTheOldFileWhenCollectingFails) {
    const TemporaryFolder folder;
    Registry::open(folder.path(), Access::write).upsert(sample_record(1));

    EXPECT_THROW(Registry::replace(folder.path(), []() -> std::vector<RunRecord> { throw Error{"unreadable"}; }),
                 Error);

    EXPECT_EQ(Registry::open(folder.path(), Access::read).select().size(), 1u);
}

TEST(Registry, WritesToTheFileThatTookTheOldOnesPlace) {
    const TemporaryFolder folder;
    Registry writer = Registry::open(folder.path(), Access::write);
    {
        const TemporaryFolder elsewhere;
        Registry::open(elsewhere.path(), Access::write).upsert(sample_record(1));
        std::filesystem::copy_file(elsewhere / "registry.sqlite", folder / "registry.sqlite.partial");
        std::filesystem::rename(folder / "registry.sqlite.partial", folder / "registry.sqlite");
    }

    writer.upsert(sample_record(2));

    EXPECT_THAT(Registry::open(folder.path(), Access::read).select(), ElementsAre(sample_record(1), sample_record(2)));
}

TEST(Registry, TakesTurnsWithOtherProcessesThatOpenAndCloseIt) {
    const TemporaryFolder folder;
    constexpr int processes = 4;
    constexpr int runs_each = 25;
    for (int process = 0; process < processes; ++process) {
        if (::fork() != 0) { continue; }
        try {
            for (int i = 0; i < runs_each; ++i) {
                Registry::open(folder.path(), Access::write).upsert(sample_record(process * runs_each + i));
                Registry::open(folder.path(), Access::read).find("run000");
            }
        } catch (const std::exception& error) {
            std::fprintf(stderr, "process %d: %s\n", process, error.what());
            ::_exit(1);
        }
        ::_exit(0);
    }

    for (int process = 0; process < processes; ++process) {
        int status = 0;
        ::wait(&status);
        EXPECT_EQ(status, 0);
    }
    EXPECT_EQ(Registry::open(folder.path(), Access::read).select().size(), std::size_t{processes * runs_each});
}

/// The least time of several tries: a busy machine can only make a try slower.
template <class Work>
double least_seconds(int tries, const Work& work) {
    double least = std::numeric_limits<double>::infinity();
    for (int i = 0; i < tries; ++i) {
        const auto start = std::chrono::steady_clock::now();
        work();
        least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return least;
}

TEST(Registry, ListsThousandsOfRunsInAMoment) {
    const TemporaryFolder folder;
    std::vector<RunRecord> records;
    for (int n = 0; n < 5000; ++n) { records.push_back(sample_record(n)); }
    Registry registry = Registry::open(folder.path(), Access::write);
    registry.upsert(records);

    const double seconds = least_seconds(3, [&] {
        EXPECT_EQ(registry.query({.where = "layers > 0 and spec ->> '$.train.batch_tokens' = 8192"}).rows.size(),
                  5000u);
    });

    EXPECT_LT(seconds, 1.0);
    RecordProperty("milliseconds", static_cast<int>(seconds * 1e3));
}

TEST(Registry, StoresARunInATransactionOfItsOwnInUnderTwoMilliseconds) {
    const TemporaryFolder folder;
    Registry registry = Registry::open(folder.path(), Access::write);
    int n = 0;

    const double seconds = least_seconds(10, [&] {
        for (int i = 0; i < 100; ++i) { registry.upsert(sample_record(n++)); }
    });

    EXPECT_LT(seconds / 100, 2e-3);
    RecordProperty("microseconds", static_cast<int>(seconds * 1e4));
}

}  // namespace
}  // namespace loglog
