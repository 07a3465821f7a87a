#include "apps/loglog/run_choice.hpp"

#include "engine/base/error.hpp"

namespace loglog {

std::string chosen_runs(const std::string& verb, const std::string& sweep, const std::string& where) {
    if (sweep.empty() == where.empty()) {
        throw InputError{verb + ": say which runs, by either --sweep NAME or --where SQL (all runs: --where true)"};
    }
    if (sweep.empty()) { return where; }
    return "sweep = " + sql_text(sweep);
}

std::string sql_text(const std::string& text) {
    std::string quoted = "'";
    for (const char c : text) { quoted += c == '\'' ? std::string{"''"} : std::string{c}; }
    return quoted + "'";
}

}  // namespace loglog
