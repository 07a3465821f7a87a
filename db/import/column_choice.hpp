#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/import/import_table.hpp"

namespace loglog {

/// What was said on the command line, by quantity.
struct ImportOptions {
    std::map<std::string, std::string> columns{};  ///< quantity -> column; of `run` also several: "size,schedule"
    std::map<std::string, double> scales{};        ///< quantity -> factor that makes it parameters, tokens, FLOPs, nats
    std::map<std::string, std::string> values{};   ///< quantity -> one value for every run
    bool compute_6nd = false;                      ///< C = 6 N D
};

/// Which column holds which quantity.
struct ColumnChoice {
    std::map<std::string, std::vector<std::size_t>, std::less<>> columns;  ///< several: `run` alone
    std::map<std::string, std::string, std::less<>> values;
    std::vector<std::size_t> others;  ///< columns that hold no quantity
    bool curves = false;              ///< a row is a step of a run, not a run

    std::optional<std::size_t> column(std::string_view quantity) const;
    bool has(std::string_view quantity) const;
};

/// Columns as `options` say, the others by their usual names. A table with a column of steps holds curves. Adds to
/// `problems` a column that is not there (with the nearest one), and quantities that contradict each other.
ColumnChoice choose_columns(const ImportTable& table, const ImportOptions& options, ImportProblems& problems);

}  // namespace loglog
