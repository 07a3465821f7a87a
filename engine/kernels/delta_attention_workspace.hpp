#pragma once

#include <algorithm>
#include <cstddef>

#include "engine/kernels/attention_workspace.hpp"
#include "engine/kernels/delta_attention.hpp"

namespace loglog {

/// Rows of packed matrices come in this many, a multiple of every register block's rows.
inline constexpr std::size_t delta_row_block = 24;

/// Extents of a chunk's packed matrices.
struct DeltaExtents {
    std::size_t rows;        // tokens, as rows
    std::size_t columns;     // tokens, as columns
    std::size_t keys;        // channels of a key, as columns
    std::size_t values;      // channels of a value, as columns
    std::size_t key_rows;    // channels of a key, as rows
    std::size_t value_rows;  // channels of a value, as rows

    explicit DeltaExtents(const DeltaAttentionSizes& s) noexcept
        : rows{round_up(std::min(s.chunk, s.time), delta_row_block)},
          columns{round_up(std::min(s.chunk, s.time), 16)},
          keys{padded_dim(s.key_dim)},
          values{padded_dim(s.value_dim)},
          key_rows{round_up(s.key_dim, delta_row_block)},
          value_rows{round_up(s.value_dim, delta_row_block)} {}
};

/// Scratch for one chunk of one head. Rows beyond the chunk's tokens hold nothing of meaning and are never a product's
/// step; columns beyond are zero.
template <class T>
struct DeltaChunkWorkspace {
    DeltaExtents extents;
    T* queries;      // [rows, keys]: of unit length, times the scale
    T* keys;         // [rows, keys]: of unit length
    T* keys_across;  // [key_dim, columns]
    T* weighted;     // [rows, keys]: keys or queries times a factor per row
    T* errors;       // [rows, values]: v - a K S
    T* writes;       // [rows, values]: u
    T* out;          // [rows, values]
    T* decays;       // [rows, columns]: D
    T* overlaps;     // [rows, columns]: (k_i . k_j) D_ij below the diagonal
    T* negated;      // [rows, columns]: -M
    T* scores;       // [rows, columns]: scale (q_i . k_j) D_ij
    T* state;        // [key_rows, values]: before the chunk
    T* beta;         // [rows]
    T* from_state;   // [rows]: a_i
    T* to_state;     // [rows]: the share of a token's write that is left after the chunk
    T* high;         // [columns]: G, rounded
    T* low;          // [columns]: what that left out
    T* query_norms;  // [rows]: 1 / |q|
    T* key_norms;    // [rows]: 1 / |k|
    T* kept;         // [key_rows]: the share of the state that is left after the chunk, in every place

    DeltaChunkWorkspace(Carver<T>& carver, const DeltaAttentionSizes& s)
        : extents{s},
          queries{carver.take(extents.rows * extents.keys)},
          keys{carver.take(extents.rows * extents.keys)},
          keys_across{carver.take(s.key_dim * extents.columns)},
          weighted{carver.take(extents.rows * extents.keys)},
          errors{carver.take(extents.rows * extents.values)},
          writes{carver.take(extents.rows * extents.values)},
          out{carver.take(extents.rows * extents.values)},
          decays{carver.take(extents.rows * extents.columns)},
          overlaps{carver.take(extents.rows * extents.columns)},
          negated{carver.take(extents.rows * extents.columns)},
          scores{carver.take(extents.rows * extents.columns)},
          state{carver.take(extents.key_rows * extents.values)},
          beta{carver.take(extents.rows)},
          from_state{carver.take(extents.rows)},
          to_state{carver.take(extents.rows)},
          high{carver.take(extents.columns)},
          low{carver.take(extents.columns)},
          query_norms{carver.take(extents.rows)},
          key_norms{carver.take(extents.rows)},
          kept{carver.take(extents.key_rows)} {
        carver.take(delta_row_block);  // register blocks may read past the last row of what lies before
    }
};

/// What the backward pass needs besides.
template <class T>
struct DeltaBackwardWorkspace : DeltaChunkWorkspace<T> {
    T* d_out;           // [rows, values]
    T* seen_d_out;      // [rows, values]: times a_i
    T* d_writes;        // [rows, values]: of u, then of the right-hand side it solves
    T* d_predicted;     // [rows, values]: of K S
    T* left_writes;     // [rows, values]: u times its share that is left after the chunk
    T* writes_across;   // [value_dim, columns]
    T* d_scores;        // [rows, columns]: of scale (q_i . k_j)
    T* d_overlaps;      // [rows, columns]: of k_i . k_j
    T* dq;              // [rows, keys]: of the scaled queries
    T* dk_reading;      // [rows, keys]: of the keys where they meet older ones and the state
    T* dk_writing;      // [rows, keys]: of the keys where newer ones and the next state meet them
    T* state_across;    // [value_rows, keys]
    T* d_state;         // [key_rows, values]: of the state after the chunk, then of the one before
    T* d_state_across;  // [value_rows, keys]
    T* next_state;      // [key_rows, values]: after the chunk
    T* d_beta;          // [rows]
    T* d_running;       // [rows]: of G

    DeltaBackwardWorkspace(Carver<T>& carver, const DeltaAttentionSizes& s)
        : DeltaChunkWorkspace<T>{carver, s},
          d_out{carver.take(this->extents.rows * this->extents.values)},
          seen_d_out{carver.take(this->extents.rows * this->extents.values)},
          d_writes{carver.take(this->extents.rows * this->extents.values)},
          d_predicted{carver.take(this->extents.rows * this->extents.values)},
          left_writes{carver.take(this->extents.rows * this->extents.values)},
          writes_across{carver.take(s.value_dim * this->extents.columns)},
          d_scores{carver.take(this->extents.rows * this->extents.columns)},
          d_overlaps{carver.take(this->extents.rows * this->extents.columns)},
          dq{carver.take(this->extents.rows * this->extents.keys)},
          dk_reading{carver.take(this->extents.rows * this->extents.keys)},
          dk_writing{carver.take(this->extents.rows * this->extents.keys)},
          state_across{carver.take(this->extents.value_rows * this->extents.keys)},
          d_state{carver.take(this->extents.key_rows * this->extents.values)},
          d_state_across{carver.take(this->extents.value_rows * this->extents.keys)},
          next_state{carver.take(this->extents.key_rows * this->extents.values)},
          d_beta{carver.take(this->extents.rows)},
          d_running{carver.take(this->extents.rows)} {
        carver.take(delta_row_block);
    }
};

/// How many T of scratch a workspace takes.
template <template <class> class Workspace, class T>
std::size_t delta_scratch(const DeltaAttentionSizes& sizes) {
    Carver<T> carver{nullptr};
    Workspace<T>{carver, sizes};
    return carver.used();
}

}  // namespace loglog
