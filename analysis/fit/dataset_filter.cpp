#include <sqlite3.h>

#include <charconv>
#include <cmath>
#include <memory>

#include "analysis/fit/dataset.hpp"
#include "engine/base/error.hpp"
#include "engine/base/unique_handle.hpp"

namespace loglog {
namespace {

struct DatabaseTraits {
    using Native = sqlite3*;
    static Native null() noexcept { return nullptr; }
    static void close(Native database) noexcept { sqlite3_close(database); }
};
struct StatementTraits {
    using Native = sqlite3_stmt*;
    static Native null() noexcept { return nullptr; }
    static void close(Native statement) noexcept { sqlite3_finalize(statement); }
};
using Database = UniqueHandle<DatabaseTraits>;
using Statement = UniqueHandle<StatementTraits>;

void check(int status, sqlite3* database, const char* what) {
    if (status != SQLITE_OK && status != SQLITE_DONE && status != SQLITE_ROW) {
        throw Error{std::string{what} + ": " + sqlite3_errmsg(database)};
    }
}

std::string quoted(const std::string& name) {
    std::string text = "\"";
    for (const char c : name) { text += c == '"' ? std::string{"\"\""} : std::string{c}; }
    return text + '"';
}

Statement prepare(sqlite3* database, const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    check(sqlite3_prepare_v2(database, sql.c_str(), -1, &statement, nullptr), database, "prepare");
    return Statement{statement};
}

void bind(sqlite3_stmt* statement, int index, const std::string& cell) {
    if (cell.empty()) {
        sqlite3_bind_null(statement, index);
        return;
    }
    double value = 0;
    const char* end = cell.data() + cell.size();
    const auto parsed = std::from_chars(cell.data(), end, value);
    if (parsed.ec == std::errc{} && parsed.ptr == end && std::isfinite(value)) {
        sqlite3_bind_double(statement, index, value);
    } else {
        sqlite3_bind_text(statement, index, cell.data(), static_cast<int>(cell.size()), SQLITE_TRANSIENT);
    }
}

Database load(const Dataset& data) {
    sqlite3* native = nullptr;
    const int status = sqlite3_open(":memory:", &native);
    Database database{native};
    check(status, native, "open in-memory table");
    std::string columns;
    std::string marks;
    for (const auto& name : data.columns) {
        columns += (columns.empty() ? "" : ", ") + quoted(name);
        marks += marks.empty() ? "?" : ", ?";
    }
    check(sqlite3_exec(native, ("CREATE TABLE data (" + columns + ")").c_str(), nullptr, nullptr, nullptr), native,
          "create in-memory table");
    check(sqlite3_exec(native, "BEGIN", nullptr, nullptr, nullptr), native, "fill in-memory table");
    const Statement insert = prepare(native, "INSERT INTO data VALUES (" + marks + ")");
    for (const auto& row : data.rows) {
        for (std::size_t k = 0; k < row.size(); ++k) { bind(insert.get(), static_cast<int>(k) + 1, row[k]); }
        check(sqlite3_step(insert.get()), native, "fill in-memory table");
        sqlite3_reset(insert.get());
    }
    check(sqlite3_exec(native, "COMMIT", nullptr, nullptr, nullptr), native, "fill in-memory table");
    return database;
}

int allow_reading_only(void*, int action, const char*, const char* second, const char*, const char*) {
    if (action == SQLITE_SELECT || action == SQLITE_READ) { return SQLITE_OK; }
    if (action == SQLITE_FUNCTION && std::string_view{second} != "load_extension") { return SQLITE_OK; }
    return SQLITE_DENY;
}

[[noreturn]] void refuse(const Dataset& data, const std::string& option, const std::string& where,
                         const std::string& why) {
    std::string columns;
    for (const auto& name : data.columns) { columns += (columns.empty() ? "" : ", ") + name; }
    throw InputError{option + " '" + where + "' is not an expression over " + data.source + ": " + why +
                     "; the columns are " + columns};
}

}  // namespace

Dataset filter(const Dataset& data, const std::string& where, const std::string& option) {
    const Database database = load(data);
    sqlite3_set_authorizer(database.get(), allow_reading_only, nullptr);
    sqlite3_limit(database.get(), SQLITE_LIMIT_EXPR_DEPTH, 200);
    // The line breaks keep a trailing comment in the expression from swallowing the bracket.
    const std::string sql = "SELECT rowid FROM data WHERE (\n" + where + "\n) ORDER BY rowid";
    sqlite3_stmt* native = nullptr;
    const char* rest = nullptr;
    const int status = sqlite3_prepare_v2(database.get(), sql.c_str(), -1, &native, &rest);
    const Statement statement{native};
    if (status != SQLITE_OK) { refuse(data, option, where, sqlite3_errmsg(database.get())); }
    if (rest != nullptr && *rest != '\0') { refuse(data, option, where, "it holds more than one statement"); }

    Dataset kept{data.source, data.columns, {}, {}};
    int step = SQLITE_ROW;
    while ((step = sqlite3_step(statement.get())) == SQLITE_ROW) {
        const auto row = static_cast<std::size_t>(sqlite3_column_int64(statement.get(), 0)) - 1;
        kept.rows.push_back(data.rows[row]);
        kept.row_names.push_back(data.row_names[row]);
    }
    if (step != SQLITE_DONE) { refuse(data, option, where, sqlite3_errmsg(database.get())); }
    if (kept.rows.empty()) {
        throw InputError{option + " '" + where + "' selects none of the " + std::to_string(data.rows.size()) +
                         " rows of " + data.source};
    }
    return kept;
}

}  // namespace loglog
