#include "db/registry/run_query.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <algorithm>

#include "db/sqlite/read_only_guard.hpp"
#include "engine/base/error.hpp"
#include "engine/base/nearest_name.hpp"
#include "engine/base/unique_handle.hpp"

namespace loglog::detail {
namespace {

struct StatementTraits {
    using Native = sqlite3_stmt*;
    static Native null() noexcept { return nullptr; }
    static void close(Native statement) noexcept { sqlite3_finalize(statement); }
};
using StatementHandle = UniqueHandle<StatementTraits>;

const ReadableNames& readable() {
    static const ReadableNames names{.views = {"runs", "sweeps"}, .tables = {"run", "run_tag"}};
    return names;
}

[[noreturn]] void reject(const RunQuery& query, const std::string& reason) {
    throw InputError{"--where \"" + query.where + "\": " + reason};
}

std::string require_column(std::string_view name) {
    const auto& columns = run_columns();
    if (std::find(columns.begin(), columns.end(), name) == columns.end()) {
        throw InputError{"no such column: " + std::string{name} + did_you_mean(name, columns) + "; the columns are " +
                         [&] {
                             std::string list;
                             for (const auto& column : columns) { list += (list.empty() ? "" : ", ") + column; }
                             return list;
                         }()};
    }
    return std::string{name};
}

/// "COL[:asc|:desc],..." as the terms of ORDER BY.
std::string order_terms(const std::string& sort) {
    std::string terms;
    for (std::size_t begin = 0; begin < sort.size();) {
        const std::size_t end = std::min(sort.find(',', begin), sort.size());
        const std::string_view key = std::string_view{sort}.substr(begin, end - begin);
        const std::size_t colon = std::min(key.find(':'), key.size());
        const std::string_view direction = key.substr(colon);
        if (!direction.empty() && direction != ":asc" && direction != ":desc") {
            throw InputError{"--sort " + std::string{key} + ": a column is followed by :asc or :desc"};
        }
        terms += require_column(key.substr(0, colon)) + (direction == ":desc" ? " DESC" : " ASC") + " NULLS LAST, ";
        begin = end + 1;
    }
    return terms.empty() ? "created_at, id" : terms + "id";
}

std::string select_text(const RunQuery& query) {
    std::string columns;
    for (const std::string& name : query.columns.empty() ? run_columns() : query.columns) {
        columns += (columns.empty() ? "" : ", ") + require_column(name);
    }
    std::string sql = "SELECT " + columns + " FROM runs";
    if (!query.where.empty()) {
        if (const std::string fault = why_not_one_expression(query.where); !fault.empty()) { reject(query, fault); }
        sql += " WHERE (" + query.where + ")";
    }
    sql += " ORDER BY " + order_terms(query.sort);
    if (query.limit >= 0) { sql += " LIMIT " + std::to_string(query.limit); }
    return sql;
}

/// SQLite's complaint about the expression, with what may help.
std::string complaint(const RunQuery& query, const std::string& message) {
    constexpr std::string_view unknown = "no such column: ";
    if (message.starts_with(unknown)) {
        const std::string name = message.substr(unknown.size());
        if (query.where.find('"' + name + '"') != std::string::npos) {
            return message + " (a text value stands in single quotes: '" + name + "')";
        }
        return message + did_you_mean(name, run_columns());
    }
    if (message.find("prohibited") != std::string::npos || message.find("not authorized") != std::string::npos) {
        return message + " (only reading the view 'runs' is allowed, with functions that only compute)";
    }
    return message;
}

Value value_of(sqlite3_stmt* statement, int column) {
    switch (sqlite3_column_type(statement, column)) {
        case SQLITE_INTEGER:
            return static_cast<std::int64_t>(sqlite3_column_int64(statement, column));
        case SQLITE_FLOAT:
            return sqlite3_column_double(statement, column);
        case SQLITE_NULL:
            return std::monostate{};
        default: {
            const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
            return std::string{text, static_cast<std::size_t>(sqlite3_column_bytes(statement, column))};
        }
    }
}

StatementHandle prepare(sqlite3* connection, const std::filesystem::path& path, const RunQuery& query) {
    const std::string sql = select_text(query);
    sqlite3_stmt* native = nullptr;
    const char* tail = nullptr;
    const int status = sqlite3_prepare_v2(connection, sql.c_str(), static_cast<int>(sql.size() + 1), &native, &tail);
    StatementHandle statement{native};
    if (status != SQLITE_OK) {
        const int primary = status & 0xff;
        if (primary != SQLITE_ERROR && primary != SQLITE_AUTH && primary != SQLITE_TOOBIG) {
            explain(path, SQLite::Exception{connection, status});
        }
        reject(query, complaint(query, sqlite3_errmsg(connection)));
    }
    if (*tail != '\0' || sqlite3_stmt_readonly(native) == 0) { reject(query, "one SQL expression is expected"); }
    if (sqlite3_bind_parameter_count(native) > 0) { reject(query, "it holds a parameter (?, :name, @name or $name)"); }
    return statement;
}

}  // namespace

Table run_query(SQLite::Database& database, const std::filesystem::path& path, const RunQuery& query) {
    sqlite3* connection = database.getHandle();
    // Setting these table-valued functions up declares tables, which the guard would refuse.
    with_database_errors(path, [&] { database.execAndGet("SELECT count(*) FROM json_each('[]'), json_tree('[]')"); });
    const ReadOnlyGuard guard{connection, readable(), query.time_limit};
    const StatementHandle statement = prepare(connection, path, query);

    Table table;
    const int columns = sqlite3_column_count(statement.get());
    for (int i = 0; i < columns; ++i) { table.columns.emplace_back(sqlite3_column_name(statement.get(), i)); }
    int status = sqlite3_step(statement.get());
    for (; status == SQLITE_ROW; status = sqlite3_step(statement.get())) {
        auto& row = table.rows.emplace_back();
        row.reserve(static_cast<std::size_t>(columns));
        for (int i = 0; i < columns; ++i) { row.push_back(value_of(statement.get(), i)); }
    }
    if (guard.timed_out()) {
        reject(query, "stopped after " + std::to_string(query.time_limit.count()) + " ms; make it simpler");
    }
    if (status == SQLITE_ERROR || (status & 0xff) == SQLITE_TOOBIG) {
        reject(query, complaint(query, sqlite3_errmsg(connection)));
    }
    if (status != SQLITE_DONE) { explain(path, SQLite::Exception{connection, status}); }
    return table;
}

}  // namespace loglog::detail
