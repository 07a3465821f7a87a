#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <array>

#include "db/files/publish.hpp"
#include "db/sqlite/connection.hpp"
#include "db/sqlite/migrations.hpp"
#include "db/sqlite/read_only_guard.hpp"
#include "engine/base/error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::chrono::milliseconds no_wait{0};

constexpr std::array steps{
    Migration{1, "0001_first", "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (7);"},
    Migration{2, "0002_second", "ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 9;"},
    Migration{3, "0003_broken", "CREATE TABLE b (z INTEGER); INSERT INTO nowhere VALUES (1);"},
};

TEST(Migrations, BringAnEmptyFileToTheLastVersion) {
    const TemporaryFolder folder;
    const auto database = open_database(folder / "a.sqlite", Access::write, no_wait);

    migrate(*database, folder / "a.sqlite", std::span{steps}.first(2));

    EXPECT_EQ(schema_version(*database, folder / "a.sqlite"), 2);
    EXPECT_EQ(database->execAndGet("SELECT x + y FROM a").getInt(), 16);
}

TEST(Migrations, KeepWhatAnOlderFileHolds) {
    const TemporaryFolder folder;
    const auto database = open_database(folder / "a.sqlite", Access::write, no_wait);
    migrate(*database, folder / "a.sqlite", std::span{steps}.first(1));
    database->exec("INSERT INTO a VALUES (8)");

    migrate(*database, folder / "a.sqlite", std::span{steps}.first(2));
    migrate(*database, folder / "a.sqlite", std::span{steps}.first(2));  // nothing left to do

    EXPECT_EQ(database->execAndGet("SELECT sum(x) FROM a").getInt(), 15);
}

TEST(Migrations, LeaveNothingOfOneThatFails) {
    const TemporaryFolder folder;
    const auto database = open_database(folder / "a.sqlite", Access::write, no_wait);

    EXPECT_THROW(migrate(*database, folder / "a.sqlite", steps), SQLite::Exception);

    EXPECT_EQ(schema_version(*database, folder / "a.sqlite"), 2);
    EXPECT_FALSE(database->tableExists("b"));
}

TEST(Migrations, RefuseANewerSchemaNamingBothVersions) {
    const TemporaryFolder folder;
    const auto database = open_database(folder / "a.sqlite", Access::write, no_wait);
    migrate(*database, folder / "a.sqlite", std::span{steps}.first(2));

    try {
        migrate(*database, folder / "a.sqlite", std::span{steps}.first(1));
        FAIL();
    } catch (const InputError& error) {
        EXPECT_THAT(error.what(), HasSubstr("version 2"));
        EXPECT_THAT(error.what(), HasSubstr("version 1"));
    }
}

TEST(Migrations, RefuseAnotherProgramsFile) {
    const TemporaryFolder folder;
    const auto database = open_database(folder / "a.sqlite", Access::write, no_wait);
    database->exec("CREATE TABLE addresses (street TEXT)");

    EXPECT_THROW(migrate(*database, folder / "a.sqlite", steps), InputError);
}

TEST(OpenDatabase, UsesNoWriteAheadLog) {
    const TemporaryFolder folder;
    const auto database = open_database(folder / "a.sqlite", Access::write, no_wait);

    EXPECT_EQ(database->execAndGet("PRAGMA journal_mode").getString(), "truncate");
}

TEST(OpenDatabase, ReadersCannotWrite) {
    const TemporaryFolder folder;
    open_database(folder / "a.sqlite", Access::write, no_wait)->exec("CREATE TABLE a (x)");

    const auto database = open_database(folder / "a.sqlite", Access::read, no_wait);

    EXPECT_THROW(database->exec("INSERT INTO a VALUES (1)"), SQLite::Exception);
}

TEST(OpenDatabase, TellsADamagedFileFromAMissingOne) {
    const TemporaryFolder folder;
    write_file(folder / "text.sqlite", std::string(5000, 'x'), Durability::process);

    EXPECT_THROW(open_database(folder / "text.sqlite", Access::read, no_wait), DamagedDatabase);
    EXPECT_THROW(open_database(folder / "text.sqlite", Access::write, no_wait), DamagedDatabase);
    EXPECT_THROW(open_database(folder / "absent.sqlite", Access::read, no_wait), InputError);
}

TEST(OpenDatabase, FindsFilesWhoseNamesLookLikeUriParameters) {
    const TemporaryFolder folder;
    const auto path = folder / "50% ?mode=rwc#1.sqlite";
    open_database(path, Access::write, no_wait)->exec("CREATE TABLE a (x)");

    EXPECT_TRUE(open_database(path, Access::read, no_wait)->tableExists("a"));
}

TEST(OneExpression, AcceptsQuotesBracketsAndNestedParentheses) {
    for (const char* text : {"layers = 4", "(a or b) and (c)", "name = 'it''s; -- fine)'", "\"state\" = 'ok'",
                             "[layers] > 1", "`layers` > 1", "x in (select max(x) from runs)", "a - -1", "6/2"}) {
        EXPECT_THAT(why_not_one_expression(text), IsEmpty()) << text;
    }
}

TEST(OneExpression, RefusesWhatCouldEndTheParenthesisItIsPutIn) {
    for (const char* text : {"1); drop table run; --", "1) or (1", "a; b", "1 -- rest", "1 /* rest */", "'open",
                             "\"open", "[open", "(1", "1)"}) {
        EXPECT_THAT(why_not_one_expression(text), Not(IsEmpty())) << text;
    }
    EXPECT_THAT(why_not_one_expression(std::string_view{"a\0b", 3}), Not(IsEmpty()));
}

}  // namespace
}  // namespace loglog
