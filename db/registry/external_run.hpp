#pragma once

#include "db/registry/run_record.hpp"

namespace loglog {

/// The column `family` of runs that another program trained: `runs import` brings them into the registry.
inline constexpr const char* external_family = "external";

/// Whether another program trained the run: it has no journal and no weights, and nothing can be trained on it.
inline bool is_external(const RunRecord& run) { return run.family == external_family; }

}  // namespace loglog
