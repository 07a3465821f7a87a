#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db/import/column_choice.hpp"
#include "db/import/import_table.hpp"
#include "db/registry/run_record.hpp"

namespace loglog {

/// What was recorded after a step. What is not known is empty.
struct ImportedPoint {
    std::int64_t step = 0;
    std::optional<double> loss;        ///< nats per token; the loss that is fitted
    std::optional<double> train_loss;  ///< nats per token
    std::optional<double> lr;
    std::optional<double> tokens;   ///< trained so far
    std::optional<double> flops;    ///< so far
    std::optional<double> seconds;  ///< so far

    bool operator==(const ImportedPoint&) const = default;
};

/// A run as the registry will hold it. Of the record `id`, `created_at` (unless the file says when), `folder`, `sweep`
/// and `tags` are not filled in; `id` is of the run's content alone, not of the file that it came in.
struct ImportedRun {
    RunRecord record;
    std::vector<ImportedPoint> curve;  ///< by step, each once; empty where a row is a run
};

/// Where a table came from: becomes part of each run's specification.
struct ImportOrigin {
    std::string file;    ///< name, without folders
    std::string format;  ///< csv, jsonl, tensorboard, wandb or mlflow
    std::string hash;    ///< of its bytes
};

struct ImportedTable {
    std::vector<ImportedRun> runs;
    std::vector<std::string> notes;                            ///< what was taken how, and what was passed over
    std::vector<std::pair<std::string, std::string>> columns;  ///< quantity and what it was taken from, in plain words
};

/// Rows into runs: numbers scaled and checked for plausible units, losses for being positive, what is constant along a
/// run for being so. A run whose (last) loss is NaN or infinite is `diverged`, unless the file gives a state. N, D and
/// C that the file does not give stay empty; C = 6 N D only if the options ask for it. Throws InputError with all
/// problems, each with its row, what was found and what was wanted.
ImportedTable import_runs(const ImportTable& table, const ImportOptions& options, const ImportOrigin& origin);

}  // namespace loglog
