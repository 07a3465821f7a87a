#pragma once

#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "db/import/imported_runs.hpp"
#include "db/registry/run_record.hpp"
#include "experiments/run/curves.hpp"

namespace loglog {

/// What was done with runs to import.
struct ImportOutcome {
    std::vector<RunRecord> created;  ///< their folders are new
    std::vector<RunRecord> known;    ///< were there already, by content, and stay as they are
};

/// Makes the folders of runs that another program trained, in REGISTRY/runs: spec.json, run.json (with the state and
/// all measurements, since there is no journal), environment.json (of the import), tags.json, and curves.h5 where there
/// is a curve. All are written under other names first and renamed together, so that an error leaves none. `sweep` and
/// `tags` are of the new runs. The registry's file is not touched.
ImportOutcome create_imported_folders(const std::filesystem::path& registry, std::span<const ImportedRun> runs,
                                      std::string_view environment);

/// The curve as our own runs have it: training losses with their learning rate as steps, losses to fit as evaluations.
/// What is not known is NaN, tokens 0.
Curves curves_of(const ImportedRun& run);

}  // namespace loglog
