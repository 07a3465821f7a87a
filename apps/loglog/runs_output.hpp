#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "db/registry/registry.hpp"

namespace loglog {

enum class OutputFormat { table, json, csv };

/// "table", "json" or "csv"; throws InputError for anything else.
OutputFormat output_format_from(const std::string& text);

/// An array of objects, one a row; `spec` nested, `tags` an array.
std::string rows_as_json(const Table& table);
/// A header and one line a row (RFC 4180); numbers in full, unknown values empty.
std::string rows_as_csv(const Table& table);
/// Aligned columns with rounded numbers, for people. Columns from the right are left out until a line fits `line_width`
/// characters (0: no limit); the first column always stays.
std::string rows_as_text(const Table& table, std::size_t line_width);

/// The table without the columns that are unknown or empty in every row.
Table without_empty_columns(const Table& table);

/// One value for people: counts with k, M, G; losses with four decimals; `column` says which it is.
std::string value_as_text(const std::string& column, const Value& value);

/// How runs differ: for each column, and each key of the specification, whose values are not all the same, the values.
struct Difference {
    std::string name;                 ///< "width", "spec.train.optimizer.lr"
    std::vector<std::string> values;  ///< JSON texts, one a run
};
/// Columns that differ in any two runs whatever they are (id, folder, times) are left out.
std::vector<Difference> differences(std::span<const RunRecord> runs);

}  // namespace loglog
