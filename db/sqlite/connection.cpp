#include "db/sqlite/connection.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <string>
#include <system_error>

#include "db/files/publish.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

std::filesystem::path note_path(const std::filesystem::path& database) {
    auto path = database;
    path += ".writer";
    return path;
}

std::string writer_of(const std::filesystem::path& database) {
    try {
        return " (" + read_file(note_path(database)) + ")";
    } catch (const Error&) { return ""; }
}

std::string file_uri(const std::filesystem::path& path, const std::string& parameters) {
    std::string uri = "file:";
    for (const char c : std::filesystem::absolute(path).string()) {
        switch (c) {
            case '?':
                uri += "%3f";
                break;
            case '#':
                uri += "%23";
                break;
            case '%':
                uri += "%25";
                break;
            default:
                uri += c;
        }
    }
    return uri + "?" + parameters;
}

void set_up(SQLite::Database& database, std::chrono::milliseconds busy_timeout) {
    database.setBusyTimeout(static_cast<int>(busy_timeout.count()));
    sqlite3_extended_result_codes(database.getHandle(), 1);
    // A misspelt "column" must not silently become a string.
    sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
}

std::unique_ptr<SQLite::Database> open_for_writing(const std::filesystem::path& path,
                                                   std::chrono::milliseconds busy_timeout) {
    auto database = std::make_unique<SQLite::Database>(path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    set_up(*database, busy_timeout);
    // A write-ahead log is not used: its shared memory corrupts the file on
    // network file systems, and processes that open and close it at the same time are refused without waiting.
    database->execAndGet("PRAGMA journal_mode = TRUNCATE");
    // A commit waits for no disk: a kill of this process loses nothing, and after a crash of the machine the file can
    // be made again from the run folders, which do wait.
    database->exec("PRAGMA synchronous = OFF");
    database->exec("PRAGMA foreign_keys = ON");
    database->execAndGet("PRAGMA schema_version");
    return database;
}

std::unique_ptr<SQLite::Database> open_for_reading(const std::filesystem::path& path,
                                                   std::chrono::milliseconds busy_timeout) {
    if (!std::filesystem::exists(path)) { throw InputError{path.string() + ": no such file"}; }
    const auto open = [&](const std::string& parameters) {
        auto database =
            std::make_unique<SQLite::Database>(file_uri(path, parameters), SQLite::OPEN_READONLY | SQLite::OPEN_URI);
        set_up(*database, busy_timeout);
        database->execAndGet("PRAGMA schema_version");
        return database;
    };
    try {
        return open("mode=ro");
    } catch (const SQLite::Exception& exception) {
        // A kill within a commit left a change half made, which only a writer can take back.
        if (exception.getExtendedErrorCode() == SQLITE_READONLY_ROLLBACK) {
            open_for_writing(path, busy_timeout);
            return open("mode=ro");
        }
        // A file that another program left in write-ahead mode, in a folder that is not writable: read it as it stands.
        if ((exception.getErrorCode() & 0xff) != SQLITE_CANTOPEN) { throw; }
        return open("mode=ro&immutable=1");
    }
}

}  // namespace

std::string sqlite_version() { return sqlite3_libversion(); }

std::unique_ptr<SQLite::Database> open_database(const std::filesystem::path& path, Access access,
                                                std::chrono::milliseconds busy_timeout) {
    std::unique_ptr<SQLite::Database> database;
    with_database_errors(path, [&] {
        database = access == Access::read ? open_for_reading(path, busy_timeout) : open_for_writing(path, busy_timeout);
    });
    return database;
}

void with_database_errors(const std::filesystem::path& path, const std::function<void()>& work) {
    try {
        work();
    } catch (const SQLite::Exception& exception) { explain(path, exception); }
}

void explain(const std::filesystem::path& path, const SQLite::Exception& exception) {
    const std::string name = "registry " + path.string();
    switch (exception.getErrorCode() & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            throw Error{name + " is locked by another process" + writer_of(path) +
                        "; wait until it is done, or end it, and run the same command again"};
        case SQLITE_FULL:
            throw Error{name + ": the disk is full; free some space and run the same command again: " +
                        "nothing already stored is lost"};
        case SQLITE_NOTADB:
        case SQLITE_CORRUPT:
            throw DamagedDatabase{name + " is damaged or no registry (" + exception.what() +
                                  "); `loglog runs rebuild` makes it anew from the run folders"};
        case SQLITE_CANTOPEN:
        case SQLITE_READONLY:
        case SQLITE_PERM:
            throw InputError{name + " cannot be opened: " + exception.what()};
        default:
            throw Error{name + ": " + exception.what()};
    }
}

WriterNote::WriterNote(const std::filesystem::path& database) : path_{note_path(database)} {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    text_ = "process " + std::to_string(::getpid()) + " on " + host.data();
    // Only a courtesy to others, so that neither failing nor being overwritten by another writer matters.
    std::ofstream{path_} << text_;
}

WriterNote::~WriterNote() {
    std::string found;
    std::getline(std::ifstream{path_}, found);
    std::error_code ignored;
    if (found == text_) { std::filesystem::remove(path_, ignored); }
}

}  // namespace loglog
