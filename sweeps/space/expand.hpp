#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "experiments/spec/run_spec.hpp"
#include "sweeps/space/sweep_spec.hpp"

namespace loglog {

/// Number of tokens in the vocabulary of the data that a spec (not resolved) names, as resolve() wants it.
using DataVocab = std::function<std::int64_t(const RunSpec&)>;

/// What expand() has to know of a model: exact model FLOPs per trained token, and non-embedding parameters.
struct ModelSize {
    double flops_per_token = 0;
    std::int64_t non_embedding_parameters = 0;
};
using MeasureModel = std::function<ModelSize(const RunSpec& resolved)>;

/// The runs of a sweep, resolved, in the order of its axes (budgets or ratios after them, seeds last), and what
/// happened to those that are not among them.
struct Expansion {
    std::vector<RunSpec> runs;
    std::vector<double> targets;  ///< of each run: its budget (isoflop) or tokens per parameter (ladder); 0 in a grid
    std::vector<std::string> notes;
};

/// Tokens are rounded to whole batches. Combinations that come out the same are merged, with a note; so is a budget
/// too small for one batch. `measure` is called for isoflop and ladder only.
/// Throws InputError listing every combination that is impossible.
Expansion expand(const SweepSpec& sweep, const DataVocab& data_vocab, const MeasureModel& measure);

}  // namespace loglog
