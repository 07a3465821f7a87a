#pragma once

#include <string>
#include <vector>

#include "db/import/imported_runs.hpp"
#include "db/import/row_reader.hpp"

namespace loglog {

/// A run with the rows it was made of.
struct AssembledRun {
    ImportedRun run;
    std::vector<std::size_t> rows;  ///< positions in the table
};

/// Rows (run, step, ...) into runs with curves. Rows of one step are merged where they do not contradict each other (a
/// tracker writes training and validation losses in lines of their own). Quantities of a run must be the same in all
/// its rows; D, C and seconds may instead grow along it. The record stands at the last evaluation. `notes` gets what a
/// reader should know.
std::vector<AssembledRun> assemble_curves(const ImportTable& table, const ColumnChoice& choice,
                                          const ImportOptions& options, ImportProblems& problems,
                                          std::vector<std::string>& notes);

}  // namespace loglog
