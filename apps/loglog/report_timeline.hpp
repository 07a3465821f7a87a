#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "analysis/report/report.hpp"

namespace loglog {

/// The recorded times of ranks of every job that worked on the runs' sweeps (REGISTRY/sweeps/NAME/timeline.jsonl);
/// sweeps without a file, and lines that cannot be read, are left out: they show, they prove nothing.
std::vector<RankTime> rank_times(const std::filesystem::path& registry, const std::vector<ReportRun>& runs);

/// Numbers that a full window leaves for the next token, of all layers, by the run's specification; nothing where that
/// is not known.
std::optional<double> state_floats(const RunRecord& record);

}  // namespace loglog
