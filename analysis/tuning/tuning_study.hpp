#pragma once

#include <map>
#include <optional>
#include <string>

#include "analysis/fit/dataset.hpp"
#include "analysis/inference/inference.hpp"
#include "analysis/tuning/cell_optima.hpp"

namespace loglog {

/// What is asked of a table of runs with columns N, D, lr, loss and, where it was varied, batch.
struct TuningQuestion {
    std::map<std::string, std::string> mapping;  ///< quantity -> column
    std::string x;  ///< "N", "D" or "C" (6ND): both laws are powers of it; empty: lr* of N and D, batch* of D
    CellOptions cells;
    InferenceOptions inference;  ///< its budgets are FLOPs; without `x`, spent at 20 tokens per parameter
};

/// The best learning rate and batch size of every cell, and the laws through them.
struct TuningStudy {
    std::vector<CellOptimum> cells;
    Inference lr;
    std::optional<Inference> batch;
    std::vector<Warning> warnings;  ///< of the cells; the laws have their own
};

/// Finds the optimum of every cell and fits `lr` laws to them. Throws InputError for missing columns, bad cells and too
/// few optima (with the reasons).
TuningStudy study_tuning(const Dataset& data, const TuningQuestion& question);

std::string to_json(const TuningStudy& study);
std::string to_text(const TuningStudy& study);

}  // namespace loglog
