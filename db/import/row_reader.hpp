#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "db/import/column_choice.hpp"
#include "db/import/import_table.hpp"
#include "db/registry/run_record.hpp"

namespace loglog {

/// Quantities of a table's rows as typed values; what cannot be one becomes a problem with row, column and text.
class RowReader {
  public:
    RowReader(const ImportTable& table, const ColumnChoice& choice, const ImportOptions& options,
              ImportProblems& problems)
        : table_{table}, choice_{choice}, options_{options}, problems_{problems} {}

    /// The cell, or the value given for all runs; empty where there is none.
    std::string_view text(const ImportTable::Row& row, std::string_view quantity) const;
    /// Scaled; NaN and infinities included. Nothing for an empty cell and for a bad one.
    std::optional<double> number(const ImportTable::Row& row, std::string_view quantity);
    /// A finite number above 0, or the problem of its not being one. NaN counts as an empty cell.
    std::optional<double> positive(const ImportTable::Row& row, std::string_view quantity);
    /// What grows along a run, or its learning rate: finite and at least 0. NaN counts as an empty cell.
    std::optional<double> so_far(const ImportTable::Row& row, std::string_view quantity);
    /// A whole number above 0 (of some quantities 0 too): above a million rounded, below it refused where it is not
    /// whole.
    std::optional<std::int64_t> count(const ImportTable::Row& row, std::string_view quantity);
    /// A loss in nats per token: positive, NaN or infinite.
    std::optional<double> loss(const ImportTable::Row& row, std::string_view quantity);

    /// Every quantity with a place in the record but the losses, and those of `except`.
    void fill(RunRecord& record, const ImportTable::Row& row, const std::set<std::string_view>& except = {});

    /// "column 'params'", or "--value N" where no column holds the quantity.
    std::string place_of(std::string_view quantity) const;
    void problem(const ImportTable::Row& row, std::string_view quantity, const std::string& what);

  private:
    const ImportTable& table_;
    const ColumnChoice& choice_;
    const ImportOptions& options_;
    ImportProblems& problems_;
};

}  // namespace loglog
