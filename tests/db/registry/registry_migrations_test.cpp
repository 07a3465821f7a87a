#include "db/registry/registry_migrations.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "db/files/publish.hpp"
#include "db/registry/registry.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog {
namespace {

/// Makes the registry that tests/db/golden/registry_vN.sql holds: one written when version N was the newest.
void restore_old_registry(const std::filesystem::path& folder, int version) {
    const std::string dump =
        read_file(LOGLOG_SOURCE_DIR "/tests/db/golden/registry_v" + std::to_string(version) + ".sql");
    SQLite::Database{(folder / "registry.sqlite").string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE}.exec(dump);
}

void expect_the_old_runs(const Registry& registry) {
    const auto runs = registry.select();
    ASSERT_EQ(runs.size(), 2u);
    EXPECT_EQ(runs[0].id, "3f2a9c01d4be");
    EXPECT_EQ(runs[0].state, RunState::ok);
    EXPECT_EQ(runs[0].final_val_loss, 2.3125);
    EXPECT_THAT(runs[0].tags, ::testing::ElementsAre("good", "paper"));
    EXPECT_EQ(runs[1].state, RunState::diverged);
    EXPECT_EQ(runs[1].final_val_loss, std::nullopt);
    EXPECT_EQ(runs[0].accuracy, std::nullopt);
    EXPECT_EQ(runs[0].recall_loss, std::nullopt);
}

class OldRegistry : public ::testing::TestWithParam<int> {};

TEST_P(OldRegistry, IsUpgradedByAWriter) {
    const TemporaryFolder folder;
    restore_old_registry(folder.path(), GetParam());

    expect_the_old_runs(Registry::open(folder.path(), Access::write));

    SQLite::Database database{(folder / "registry.sqlite").string()};
    EXPECT_EQ(schema_version(database, folder / "registry.sqlite"), registry_migrations().back().version);
    EXPECT_EQ(database.execAndGet("SELECT ok + diverged FROM sweeps WHERE sweep = 'quickstart'").getInt(), 2);
}

TEST_P(OldRegistry, TakesRunsOfProbesOnceUpgraded) {
    const TemporaryFolder folder;
    restore_old_registry(folder.path(), GetParam());
    RunRecord record;
    record.id = "0a1b2c3d4e5f";
    record.state = RunState::ok;
    record.accuracy = 0.75;
    record.spec = "{}";

    Registry::open(folder.path(), Access::write).upsert(record);

    const auto found = Registry::open(folder.path(), Access::read).select("accuracy > 0.7");
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].id, record.id);
}

TEST_P(OldRegistry, IsReadWithoutBeingChanged) {
    const TemporaryFolder folder;
    restore_old_registry(folder.path(), GetParam());
    const std::string before = read_file(folder / "registry.sqlite");

    expect_the_old_runs(Registry::open(folder.path(), Access::read));

    EXPECT_EQ(read_file(folder / "registry.sqlite"), before);
}

INSTANTIATE_TEST_SUITE_P(Versions, OldRegistry, ::testing::Values(1, 2));

TEST(RegistryMigrations, AreNumberedWithoutGaps) {
    int expected = 1;
    for (const Migration& migration : registry_migrations()) { EXPECT_EQ(migration.version, expected++); }
}

TEST(RegistryMigrations, LeaveTheViewWithJustTheColumnsOfARecord) {
    const TemporaryFolder folder;
    Registry::open(folder.path(), Access::write);
    SQLite::Database database{(folder / "registry.sqlite").string()};
    SQLite::Statement view{database, "SELECT * FROM runs"};

    std::vector<std::string> columns;
    for (int i = 0; i < view.getColumnCount(); ++i) { columns.emplace_back(view.getColumnName(i)); }

    EXPECT_EQ(columns, run_columns());
}

}  // namespace
}  // namespace loglog
