#pragma once

#include "db/import/import_table.hpp"

namespace loglog {

/// Whether the table is a chart exported from Weights & Biases: a first column of steps, then "RUN - METRIC" columns,
/// each with "...__MIN" and "...__MAX" beside it.
bool is_wandb_chart(const ImportTable& table);

/// Such a chart as rows (run, step, METRIC). The columns of minima and maxima are passed over, with a note.
ImportTable rows_of_wandb_chart(const ImportTable& table);

/// Whether the table is MLflow's runs.csv: a column `run_id` and columns that start with `params.` or `metrics.`.
bool is_mlflow_export(const ImportTable& table);

}  // namespace loglog
