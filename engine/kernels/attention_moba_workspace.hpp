#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "engine/kernels/attention_moba.hpp"
#include "engine/kernels/attention_workspace.hpp"

namespace loglog {

/// Scratch of one head of one sequence. Its blocks are numbered document by document, rising.
template <class T>
struct BlockChoiceWorkspace {
    T* means;                   // [blocks, dim]
    T* panels;                  // the same as panels of [head_dim, panel] blocks each
    T* queries;                 // [tile, dim]
    T* scores;                  // [tile, blocks]
    std::int32_t* first_block;  // [time]: number of the first block of the token's document
    std::int32_t* best;         // [top_k]

    BlockChoiceWorkspace(Carver<T>& carver, const AttentionBlockChoice<T>& k, std::size_t blocks)
        : means{carver.take(padded_time(blocks) * padded_dim(k.sizes.head_dim))},
          panels{carver.take(padded_time(blocks) * k.sizes.head_dim)},
          queries{carver.take(attention_tile * padded_dim(k.sizes.head_dim))},
          scores{carver.take(attention_tile * padded_time(blocks))},
          first_block{reinterpret_cast<std::int32_t*>(carver.take(k.sizes.time))},
          best{reinterpret_cast<std::int32_t*>(carver.take(k.top_k))} {}
};

template <class T>
std::size_t document_start_of(const AttentionBlockChoice<T>& k, std::size_t sequence, std::size_t token) {
    return k.document_start.empty() ? 0 : static_cast<std::size_t>(k.document_start[sequence * k.sizes.time + token]);
}

/// Blocks of the sequence that has most.
template <class T>
std::size_t most_blocks(const AttentionBlockChoice<T>& k) {
    std::size_t most = 0;
    for (std::size_t sequence = 0; sequence < k.sizes.batch; ++sequence) {
        std::size_t blocks = 0;
        for (std::size_t t = 0; t < k.sizes.time; ++t) {
            blocks += (t - document_start_of(k, sequence, t)) % k.block == 0;
        }
        most = std::max(most, blocks);
    }
    return most;
}

}  // namespace loglog
