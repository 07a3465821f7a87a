#pragma once

#include <string>

namespace loglog {

/// The expression over the view `runs` that --sweep NAME or --where SQL stands for. Throws InputError, naming the verb,
/// unless just one of the two is given.
std::string chosen_runs(const std::string& verb, const std::string& sweep, const std::string& where);

/// Text as a literal of SQL.
std::string sql_text(const std::string& text);

}  // namespace loglog
