#pragma once

#include <filesystem>
#include <span>
#include <string_view>

namespace SQLite {
class Database;
}

namespace loglog {

/// One numbered change of the schema: a file db/migrations/NNNN_name.sql, never edited once released.
struct Migration {
    int version;            ///< NNNN, from 1 without gaps
    std::string_view name;  ///< "0001_initial"
    std::string_view sql;   ///< any number of statements
};

/// The schema's version: the last migration applied, 0 for an empty file. Throws InputError if the file is not empty
/// and has no record of migrations, that is, belongs to another program.
int schema_version(SQLite::Database& database, const std::filesystem::path& path);

/// Applies what is missing, each migration in a transaction of its own, and records it in the table schema_migration.
/// Throws InputError naming both versions if the file is of a newer schema than the last migration known here.
void migrate(SQLite::Database& database, const std::filesystem::path& path, std::span<const Migration> migrations);

}  // namespace loglog
