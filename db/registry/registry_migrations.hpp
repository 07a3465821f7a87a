#pragma once

#include <span>

#include "db/sqlite/migrations.hpp"

namespace loglog {

/// The registry's schema, from the files in db/migrations, in order.
std::span<const Migration> registry_migrations();

}  // namespace loglog
