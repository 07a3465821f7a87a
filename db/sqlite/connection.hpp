#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "engine/base/error.hpp"

namespace SQLite {
class Database;
class Exception;
}  // namespace SQLite

namespace loglog {

enum class Access { read, write };

/// The file is damaged, or no database.
class DamagedDatabase : public InputError {
  public:
    using InputError::InputError;
};

/// "3.40.1"
std::string sqlite_version();

/// Opens an SQLite file; Access::write creates it if need be.
///
/// Changes go through a rollback journal, which works on network file systems as well (a write-ahead log does not). A
/// reader never changes what the file holds, and also reads from a folder it may not write to. Text in double quotes is
/// a name, never a value. Throws as explain() does.
std::unique_ptr<SQLite::Database> open_database(const std::filesystem::path& path, Access access,
                                                std::chrono::milliseconds busy_timeout);

/// Calls `work`, turning SQLite's exceptions into ours.
void with_database_errors(const std::filesystem::path& path, const std::function<void()>& work);

/// Throws the Error for a failure of the file at `path`: locked (by whom, where known), full disk, damaged, no
/// database.
[[noreturn]] void explain(const std::filesystem::path& path, const SQLite::Exception& exception);

/// Notes beside the file which process writes it, for the message others get while it is locked. Removed at the end.
class WriterNote {
  public:
    explicit WriterNote(const std::filesystem::path& database);
    WriterNote(const WriterNote&) = delete;
    WriterNote& operator=(const WriterNote&) = delete;
    ~WriterNote();

  private:
    std::filesystem::path path_;
    std::string text_;
};

}  // namespace loglog
