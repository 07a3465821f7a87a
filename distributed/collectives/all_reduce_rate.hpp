#pragma once

#include <cstddef>

#include "engine/parallel/group.hpp"

namespace loglog {

/// Median seconds of one all-reduce (float32 sum) of a buffer of `bytes`, over at least 5 repetitions. Collective.
double all_reduce_seconds(Group& group, std::size_t bytes);

}  // namespace loglog
