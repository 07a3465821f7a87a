#pragma once

#include <chrono>
#include <set>
#include <string>
#include <string_view>

struct sqlite3;

namespace loglog {

/// What SQL written by a user may read.
struct ReadableNames {
    std::set<std::string, std::less<>> views;   ///< by name, any column
    std::set<std::string, std::less<>> tables;  ///< only as part of one of the views
};

/// While it lives, statements prepared on the connection can do nothing but SELECT from the views, with functions that
/// only compute; and a statement running past the time limit is interrupted.
class ReadOnlyGuard {
  public:
    ReadOnlyGuard(sqlite3* connection, const ReadableNames& names, std::chrono::milliseconds time_limit);
    ReadOnlyGuard(const ReadOnlyGuard&) = delete;
    ReadOnlyGuard& operator=(const ReadOnlyGuard&) = delete;
    ~ReadOnlyGuard();

    bool timed_out() const noexcept { return timed_out_; }

  private:
    static int authorize(void* guard, int action, const char* first, const char* second, const char* database,
                         const char* view);
    static int check_time(void* guard);

    sqlite3* connection_;
    const ReadableNames& names_;
    std::chrono::steady_clock::time_point deadline_;
    int old_length_limit_;
    bool timed_out_ = false;
};

/// Why a text cannot stand as one SQL expression in parentheses: a semicolon, a comment, a parenthesis closed before it
/// was opened, an open text ... Empty if nothing is wrong with it at this level.
std::string why_not_one_expression(std::string_view text);

}  // namespace loglog
