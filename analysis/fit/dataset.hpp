#pragma once

#include <filesystem>
#include <istream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace loglog {

/// A table of text cells as read from a CSV file or a query; numbers are parsed when a column is asked for.
struct Dataset {
    std::string source;                          ///< file name or query, for messages
    std::vector<std::string> columns;            ///< unique names
    std::vector<std::vector<std::string>> rows;  ///< [rows][columns]
    std::vector<std::string> row_names;          ///< "line 12" or a run's id
};

/// Reads comma-separated values: one header line after any `#` comment lines and empty lines, cells quoted by `"` where
/// they hold commas. Throws InputError that lists every malformed row with its line, what was found and what is wanted.
Dataset read_csv(std::istream& in, const std::string& source);
Dataset read_csv(const std::filesystem::path& file);

/// The rows for which the SQL expression `where` is true. The rows are put into an in-memory SQLite table (numbers as
/// numbers, empty cells as NULL) and the expression can do nothing but read it. Throws InputError with SQLite's message
/// and the known columns for an expression that is refused; `option` is what the user called the expression.
Dataset filter(const Dataset& data, const std::string& where, const std::string& option = "--where");

/// Position of the column that stands for "N", "D", "C" or "loss": as `mapping` says, else a column of that name, else
/// its usual other names (params, tokens, flops, val_loss, ...). Throws InputError that names the nearest column.
std::size_t find_column(const Dataset& data, std::string_view quantity,
                        const std::map<std::string, std::string>& mapping);
bool has_column(const Dataset& data, std::string_view quantity, const std::map<std::string, std::string>& mapping);

/// Columns as numbers that must be positive and finite, [requested column][row]. Throws one InputError for all bad
/// cells, each with its row, column and text.
std::vector<std::vector<double>> positive_columns(const Dataset& data, const std::vector<std::size_t>& columns);

}  // namespace loglog
