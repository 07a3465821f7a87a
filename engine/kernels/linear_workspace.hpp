#pragma once

#include <algorithm>
#include <cstddef>

#include "engine/kernels/attention_workspace.hpp"
#include "engine/kernels/linear_attention.hpp"

namespace loglog {

/// Rows that matrices of the linear attention kernels have in memory beyond those in use, as register blocks have up to
/// 12 rows.
inline constexpr std::size_t chunk_spare_rows = 12;

/// Strides and extents of a chunk's matrices.
struct ChunkLayout {
    std::size_t chunk;         // tokens
    std::size_t pair_stride;   // of matrices of tokens by tokens, and of channels by tokens
    std::size_t key_stride;    // of rows of key channels
    std::size_t value_stride;  // of rows of value channels

    explicit ChunkLayout(const LinearAttentionSizes& s)
        : chunk{std::max<std::size_t>(1, std::min(s.chunk, s.time))},
          pair_stride{round_up(chunk, 16)},
          key_stride{padded_dim(s.key_dim)},
          value_stride{padded_dim(s.value_dim)} {}

    /// A matrix of `rows` rows with its spare ones, and some columns for blocks that go over the last row's end.
    static std::size_t matrix(std::size_t rows, std::size_t stride) { return (rows + chunk_spare_rows) * stride + 16; }
};

/// Scratch of one head's forward pass.
template <class T>
struct LinearForwardWorkspace {
    ChunkLayout layout;
    T* queries;       // [chunk, key_dim], features times scale
    T* keys;          // [chunk, key_dim], features
    T* keys_across;   // [key_dim, chunk]
    T* values;        // [chunk, value_dim]
    T* scores;        // [chunk, chunk]
    T* out;           // [chunk, value_dim]
    T* state;         // [key_dim, value_dim]
    T* key_sum;       // [key_dim]: the state of the normalizers
    T* factors;       // [chunk]: by which each token's past decays
    T* between;       // [chunk, chunk]: decay from token j to token i
    T* since_start;   // [chunk]: decay of the state from before the chunk
    T* state_factor;  // [key_dim]: the last of since_start, in every entry

    LinearForwardWorkspace(Carver<T>& carver, const LinearAttentionSizes& s)
        : layout{s},
          queries{carver.take(ChunkLayout::matrix(layout.chunk, layout.key_stride))},
          keys{carver.take(ChunkLayout::matrix(layout.chunk, layout.key_stride))},
          keys_across{carver.take(ChunkLayout::matrix(s.key_dim, layout.pair_stride))},
          values{carver.take(ChunkLayout::matrix(layout.chunk, layout.value_stride))},
          scores{carver.take(ChunkLayout::matrix(layout.chunk, layout.pair_stride))},
          out{carver.take(ChunkLayout::matrix(layout.chunk, layout.value_stride))},
          state{carver.take(ChunkLayout::matrix(s.key_dim, layout.value_stride))},
          key_sum{carver.take(layout.key_stride)},
          factors{carver.take(layout.chunk)},
          between{carver.take(ChunkLayout::matrix(layout.chunk, layout.pair_stride))},
          since_start{carver.take(layout.chunk + chunk_spare_rows)},
          state_factor{carver.take(s.key_dim + chunk_spare_rows)} {}
};

/// Scratch of one key/value head's backward pass. Where there are normalizers, a value has one more channel, 1, and its
/// gradient the normalizer's: `value_rows` channels in all. Matrices of states have a row per value channel.
template <class T>
struct LinearBackwardWorkspace {
    ChunkLayout layout;
    std::size_t value_rows;
    std::size_t wide_stride;  // of rows of value_rows channels
    std::size_t state_size;   // of one state in memory
    T* queries;               // [chunk, key_dim], features times scale
    T* keys;                  // [chunk, key_dim], features
    T* keys_across;           // [key_dim, chunk]
    T* values;                // [chunk, value_rows]
    T* values_across;         // [value_rows, chunk]
    T* d_out;                 // [chunk, value_rows]
    T* scores;                // [chunk, chunk]
    T* d_scores;              // [chunk, chunk]
    T* dq;                    // [chunk, key_dim]
    T* dk;                    // [chunk, key_dim]
    T* dv;                    // [chunk, value_dim]
    T* d_state;               // [value_rows, key_dim], of the state after the chunk
    T* d_state_across;        // [key_dim, value_rows]
    T* factors;               // [chunk]
    T* between;               // [chunk, chunk]
    T* since_start;           // [chunk]
    T* until_end;             // [chunk]: decay from token j to the chunk's last, the last row of `between`
    T* state_factor;          // [value_rows]
    T* states;                // [chunks + 1][value_rows, key_dim]: before each chunk and after the last

    LinearBackwardWorkspace(Carver<T>& carver, const LinearAttentionSizes& s, bool normalized)
        : layout{s},
          value_rows{s.value_dim + (normalized ? 1 : 0)},
          wide_stride{padded_dim(value_rows)},
          state_size{round_up(ChunkLayout::matrix(value_rows, layout.key_stride), 16)},
          queries{carver.take(ChunkLayout::matrix(layout.chunk, layout.key_stride))},
          keys{carver.take(ChunkLayout::matrix(layout.chunk, layout.key_stride))},
          keys_across{carver.take(ChunkLayout::matrix(s.key_dim, layout.pair_stride))},
          values{carver.take(ChunkLayout::matrix(layout.chunk, wide_stride))},
          values_across{carver.take(ChunkLayout::matrix(value_rows, layout.pair_stride))},
          d_out{carver.take(ChunkLayout::matrix(layout.chunk, wide_stride))},
          scores{carver.take(ChunkLayout::matrix(layout.chunk, layout.pair_stride))},
          d_scores{carver.take(ChunkLayout::matrix(layout.chunk, layout.pair_stride))},
          dq{carver.take(ChunkLayout::matrix(layout.chunk, layout.key_stride))},
          dk{carver.take(ChunkLayout::matrix(layout.chunk, layout.key_stride))},
          dv{carver.take(ChunkLayout::matrix(layout.chunk, layout.value_stride))},
          d_state{carver.take(ChunkLayout::matrix(value_rows, layout.key_stride))},
          d_state_across{carver.take(ChunkLayout::matrix(s.key_dim, wide_stride))},
          factors{carver.take(layout.chunk)},
          between{carver.take(ChunkLayout::matrix(layout.chunk, layout.pair_stride))},
          since_start{carver.take(layout.chunk + chunk_spare_rows)},
          until_end{carver.take(layout.chunk + chunk_spare_rows)},
          state_factor{carver.take(value_rows + chunk_spare_rows)},
          states{carver.take(((s.time + layout.chunk - 1) / layout.chunk + 1) * state_size)} {}
};

}  // namespace loglog
