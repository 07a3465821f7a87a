#include "db/sqlite/read_only_guard.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace loglog {
namespace {

// Functions that compute from their arguments alone, in bounded memory. Sorted.
constexpr std::array safe_functions = std::to_array<std::string_view>({
    "->",
    "->>",
    "abs",
    "acos",
    "asin",
    "atan",
    "atan2",
    "avg",
    "ceil",
    "ceiling",
    "coalesce",
    "cos",
    "count",
    "cume_dist",
    "date",
    "datetime",
    "degrees",
    "dense_rank",
    "exp",
    "first_value",
    "floor",
    "glob",
    "group_concat",
    "hex",
    "ifnull",
    "iif",
    "instr",
    "json",
    "json_array_length",
    "json_each",
    "json_extract",
    "json_tree",
    "json_type",
    "json_valid",
    "julianday",
    "lag",
    "last_value",
    "lead",
    "length",
    "like",
    "likelihood",
    "likely",
    "ln",
    "log",
    "log10",
    "log2",
    "lower",
    "ltrim",
    "max",
    "min",
    "mod",
    "nth_value",
    "ntile",
    "nullif",
    "percent_rank",
    "pi",
    "pow",
    "power",
    "radians",
    "rank",
    "replace",
    "round",
    "row_number",
    "rtrim",
    "sign",
    "sin",
    "sqrt",
    "strftime",
    "substr",
    "substring",
    "sum",
    "tan",
    "tanh",
    "time",
    "total",
    "trim",
    "trunc",
    "typeof",
    "unicode",
    "unixepoch",
    "unlikely",
    "upper",
});

bool is_safe_function(std::string_view name) {
    std::string lower{name};
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    return std::find(safe_functions.begin(), safe_functions.end(), lower) != safe_functions.end();
}

constexpr int longest_value = 16 << 20;  ///< bytes of any text a query may make
constexpr int operations_between_checks = 5'000;

}  // namespace

ReadOnlyGuard::ReadOnlyGuard(sqlite3* connection, const ReadableNames& names, std::chrono::milliseconds time_limit)
    : connection_{connection},
      names_{names},
      deadline_{std::chrono::steady_clock::now() + time_limit},
      old_length_limit_{sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, longest_value)} {
    sqlite3_set_authorizer(connection_, authorize, this);
    sqlite3_progress_handler(connection_, operations_between_checks, check_time, this);
}

ReadOnlyGuard::~ReadOnlyGuard() {
    sqlite3_set_authorizer(connection_, nullptr, nullptr);
    sqlite3_progress_handler(connection_, 0, nullptr, nullptr);
    sqlite3_limit(connection_, SQLITE_LIMIT_LENGTH, old_length_limit_);
}

int ReadOnlyGuard::authorize(void* guard, int action, const char* first, const char* second, const char*,
                             const char* view) {
    const ReadableNames& names = static_cast<ReadOnlyGuard*>(guard)->names_;
    const auto allowed = [](bool condition) { return condition ? SQLITE_OK : SQLITE_DENY; };
    switch (action) {
        case SQLITE_SELECT:
            return SQLITE_OK;
        case SQLITE_FUNCTION:
            return allowed(second != nullptr && is_safe_function(second));
        case SQLITE_READ: {
            const std::string_view table = first != nullptr ? first : "";
            if (names.views.contains(table) || table == "json_each" || table == "json_tree") { return SQLITE_OK; }
            // A read of no column, as count(*) makes, comes without the view's name and tells the number of rows alone.
            const bool counts_rows = second != nullptr && *second == '\0';
            const bool through_view = view != nullptr && names.views.contains(std::string_view{view});
            return allowed((counts_rows || through_view) && names.tables.contains(table));
        }
        default:
            return SQLITE_DENY;
    }
}

int ReadOnlyGuard::check_time(void* guard) {
    auto& self = *static_cast<ReadOnlyGuard*>(guard);
    self.timed_out_ = std::chrono::steady_clock::now() > self.deadline_;
    return self.timed_out_ ? 1 : 0;
}

std::string why_not_one_expression(std::string_view text) {
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const char next = i + 1 < text.size() ? text[i + 1] : ' ';
        if (c == '\'' || c == '"' || c == '`' || c == '[') {
            const std::size_t end = text.find(c == '[' ? ']' : c, i + 1);  // '' inside a text is two texts to us: fine
            if (end == std::string_view::npos) { return std::string{"the quote "} + c + " is never closed"; }
            i = end;
        } else if (c == '(') {
            ++depth;
        } else if (c == ')' && --depth < 0) {
            return "a ')' closes nothing";
        } else if (c == ';') {
            return "it holds a ';', and one expression is expected";
        } else if ((c == '-' && next == '-') || (c == '/' && next == '*')) {
            return "it holds a comment";
        } else if (c == '\0') {
            return "it holds a zero byte";
        }
    }
    return depth > 0 ? "a '(' is never closed" : "";
}

}  // namespace loglog
