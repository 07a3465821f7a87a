#pragma once

#include <cstdint>
#include <vector>

#include "engine/parallel/tensor_shard.hpp"

namespace loglog {

/// Layers [first, last).
struct LayerRange {
    std::int64_t first = 0;
    std::int64_t last = 0;

    std::int64_t count() const noexcept { return last - first; }
    bool operator==(const LayerRange&) const = default;
};

/// What of a decoder lies on one rank: the default is all of it.
struct ModelPart {
    TensorShard tensor = {};
    std::vector<LayerRange> chunks = {};  ///< layers by pipeline chunk, ascending; none: all layers
    bool embedding = true;                ///< token and position tables as used by the lookup
    bool head = true;                     ///< final norm and output table (of a tied head: a copy of the token table)
};

}  // namespace loglog
