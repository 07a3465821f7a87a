#pragma once

#include <string>

#include "db/registry/run_record.hpp"

namespace loglog {

/// The one run whose id or name is, or starts with, `prefix`. Throws InputError when there is none, or several (which
/// it lists).
RunRecord find_run(const std::string& registry, const std::string& prefix);

}  // namespace loglog
