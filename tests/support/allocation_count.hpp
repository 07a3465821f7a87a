#pragma once

#include <cstdint>

namespace loglog::testing {

/// Calls of the global operator new of this process so far. Only in test programs that link loglog::allocation_count.
std::int64_t allocation_count() noexcept;

}  // namespace loglog::testing
