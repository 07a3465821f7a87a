#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "db/registry/run_record.hpp"

namespace loglog {

struct RebuildReport {
    std::map<RunState, int> runs;                                           ///< how many in which state
    std::vector<std::pair<std::filesystem::path, std::string>> unreadable;  ///< folder and why
};

/// Makes REGISTRY/registry.sqlite anew from REGISTRY/runs/* alone: built beside the old file and renamed over it, so
/// that readers see the old or the new one. Writes curves.h5 where a kill prevented it. Throws InputError if there is
/// no folder REGISTRY/runs.
RebuildReport rebuild_registry(const std::filesystem::path& registry);

/// Brings up to date what the registry says of runs it believes planned or running, from their folders: a process that
/// was killed could not say how its runs ended. Does nothing where the registry is missing, locked or not writable.
void refresh_registry(const std::filesystem::path& registry);

}  // namespace loglog
