#include "db/sqlite/migrations.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <string>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

void apply(SQLite::Database& database, const Migration& migration) {
    // Another process may have been faster: look again under the write lock.
    SQLite::Transaction transaction{database, SQLite::TransactionBehavior::IMMEDIATE};
    database.exec(
        "CREATE TABLE IF NOT EXISTS schema_migration ("
        "version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)");
    SQLite::Statement applied{database, "SELECT count(*) FROM schema_migration WHERE version = ?"};
    applied.bind(1, migration.version);
    applied.executeStep();
    if (applied.getColumn(0).getInt() > 0) { return; }
    applied.reset();

    database.exec(std::string{migration.sql});
    SQLite::Statement record{database,
                             "INSERT INTO schema_migration VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))"};
    record.bind(1, migration.version);
    record.bind(2, std::string{migration.name});
    record.exec();
    transaction.commit();
}

}  // namespace

int schema_version(SQLite::Database& database, const std::filesystem::path& path) {
    if (database.tableExists("schema_migration")) {
        return database.execAndGet("SELECT coalesce(max(version), 0) FROM schema_migration").getInt();
    }
    if (database.execAndGet("SELECT count(*) FROM sqlite_master").getInt() > 0) {
        throw InputError{path.string() + " is an SQLite file of another program (it has no table schema_migration)"};
    }
    return 0;
}

void migrate(SQLite::Database& database, const std::filesystem::path& path, std::span<const Migration> migrations) {
    const int have = schema_version(database, path);
    const int known = migrations.empty() ? 0 : migrations.back().version;
    if (have > known) {
        throw InputError{"registry " + path.string() + " is of schema version " + std::to_string(have) +
                         ", newer than version " + std::to_string(known) +
                         ", the last this program knows; use the newer loglog that wrote it"};
    }
    for (const Migration& migration : migrations) {
        if (migration.version > have) { apply(database, migration); }
    }
}

}  // namespace loglog
