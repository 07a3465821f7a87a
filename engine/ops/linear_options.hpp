#pragma once

#include <cstdint>
#include <span>

namespace loglog {

/// What all ops of linear attention are told.
struct LinearAttentionOptions {
    std::int64_t time = 0;       ///< tokens per sequence; rows = sequences * time
    std::int64_t key_dim = 0;    ///< channels of a head of q and k
    std::int64_t value_dim = 0;  ///< channels of a head of v and of the result
    std::int64_t chunk = 64;     ///< tokens done at once
    double scale = 1;            ///< of q
    /// [rows]: the place in its sequence of the first token of each token's document, which is where the state is
    /// reset; empty: one document a sequence. Must live until the backward pass is over.
    std::span<const std::int32_t> document_start = {};
};

}  // namespace loglog
