#pragma once

#include <filesystem>

#include "db/registry/registry.hpp"

namespace loglog::detail {

/// Runs the query on the open database; see Registry::query.
Table run_query(SQLite::Database& database, const std::filesystem::path& path, const RunQuery& query);

}  // namespace loglog::detail
