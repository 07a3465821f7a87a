#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "analysis/fit/dataset.hpp"
#include "analysis/inference/inference.hpp"
#include "db/registry/run_record.hpp"

namespace loglog {

/// What counts as N.
enum class ParameterCount {
    non_embedding,  ///< total - embedding tables - untied head
    with_head,      ///< total - embedding tables
    total,          ///< every trained value once
};

/// Parses "non_embedding", "with_head", "total". Throws InputError.
ParameterCount parse_parameter_count(std::string_view text);
const char* to_text(ParameterCount count) noexcept;

/// Runs as a data set to fit: columns N, D (trained tokens), C (exact model FLOPs), loss (final validation loss), then
/// every numeric column of the registry's view and with_head_params (total - embedding). Runs that are not `ok`, have
/// no validation loss, or lack an N, D or C that others have, are left out with the reason. A column that none of the
/// runs has anything in is not there.
struct RunDataset {
    Dataset data;
    std::vector<Exclusion> excluded;
};

RunDataset dataset_of_runs(std::span<const RunRecord> runs, ParameterCount count, const std::string& source);

/// N of a run under a convention; nothing where the run does not say.
std::optional<std::int64_t> parameters_of(const RunRecord& run, ParameterCount count);

/// A caveat (code "mixed_runs") for every property that a law of N, D and C takes to be equal but is not among the
/// finished runs: family, attention, context, vocabulary, data, parameterization.
std::vector<Warning> mixture_warnings(std::span<const RunRecord> runs);

/// "left out: 3 running, 1 diverged", or nothing where every run is ok.
std::string states_left_out(std::span<const RunRecord> runs);

}  // namespace loglog
