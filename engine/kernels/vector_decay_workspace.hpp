#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "engine/kernels/attention_workspace.hpp"
#include "engine/kernels/linear_workspace.hpp"
#include "engine/kernels/vector_decay_attention.hpp"

namespace loglog {

/// Tokens whose pairs are done channel by channel: as many as the widest vector has floats.
inline constexpr std::size_t decay_block = 16;

/// How a sequence is cut: into chunks, and these into blocks.
struct DecayBlocks {
    std::size_t time;
    std::size_t chunk;

    explicit DecayBlocks(const LinearAttentionSizes& s)
        : time{s.time}, chunk{std::max<std::size_t>(1, std::min(s.chunk, s.time))} {}

    std::size_t count() const noexcept { return time / chunk * blocks_of(chunk) + blocks_of(time % chunk); }
    std::size_t begin(std::size_t index) const noexcept {
        return chunk_of(index) * chunk + index % blocks_of(chunk) * decay_block;
    }
    std::size_t end(std::size_t index) const noexcept {
        return std::min({begin(index) + decay_block, (chunk_of(index) + 1) * chunk, time});
    }
    bool ends_chunk(std::size_t index) const noexcept { return end(index) % chunk == 0 || end(index) == time; }

  private:
    static std::size_t blocks_of(std::size_t tokens) noexcept { return (tokens + decay_block - 1) / decay_block; }
    std::size_t chunk_of(std::size_t index) const noexcept { return index / blocks_of(chunk); }
};

/// A block's operands, [decay_block, channels] with zeros where there is nothing.
template <class T>
struct DecayBlockRows {
    std::size_t key_stride;
    std::size_t value_stride;
    T* queries;  // times scale
    T* keys;
    T* values;
    T* factors;          // exp(g), 0 where a document starts, 1 where there is nothing
    T* decayed_queries;  // times the decays since the block's start
    T* decayed_keys;     // times the decays until the block's end
    T* through;          // [key_dim]: the decay over the whole block
    T* scores;           // [decay_block, decay_block]

    DecayBlockRows(Carver<T>& carver, const LinearAttentionSizes& s)
        : key_stride{padded_dim(s.key_dim)},
          value_stride{padded_dim(s.value_dim)},
          queries{carver.take(ChunkLayout::matrix(decay_block, key_stride))},
          keys{carver.take(ChunkLayout::matrix(decay_block, key_stride))},
          values{carver.take(ChunkLayout::matrix(decay_block, value_stride))},
          factors{carver.take(ChunkLayout::matrix(decay_block, key_stride))},
          decayed_queries{carver.take(ChunkLayout::matrix(decay_block, key_stride))},
          decayed_keys{carver.take(ChunkLayout::matrix(decay_block, key_stride))},
          through{carver.take(key_stride + chunk_spare_rows)},
          scores{carver.take(ChunkLayout::matrix(decay_block, decay_block))} {}
};

/// Scratch of one head's forward pass.
template <class T>
struct VectorDecayForwardWorkspace {
    DecayBlockRows<T> rows;
    T* out;    // [decay_block, value_dim]
    T* state;  // [key_dim, value_dim]

    VectorDecayForwardWorkspace(Carver<T>& carver, const LinearAttentionSizes& s)
        : rows{carver, s},
          out{carver.take(ChunkLayout::matrix(decay_block, rows.value_stride))},
          state{carver.take(ChunkLayout::matrix(s.key_dim, rows.value_stride))} {}
};

/// Scratch of one key/value head's backward pass.
template <class T>
struct VectorDecayBackwardWorkspace {
    DecayBlockRows<T> rows;
    std::size_t state_size;  // of one state in memory
    T* values_across;        // [value_dim, decay_block]
    T* d_out;                // [decay_block, value_dim]
    T* d_out_across;         // [value_dim, decay_block]
    T* d_scores;             // [decay_block, decay_block]
    T* d_keys_across;        // [key_dim, decay_block]: of decayed queries or keys
    T* dq;                   // [decay_block, key_dim]: of scaled queries
    T* dk;                   // [decay_block, key_dim]
    T* dv;                   // [decay_block, value_dim]
    T* dg;                   // [key_dim]: the sum over later tokens
    T* d_state;              // [key_dim, value_dim]: of the state after the block
    T* states;               // [blocks + 1][key_dim, value_dim]: before each block and after the last

    VectorDecayBackwardWorkspace(Carver<T>& carver, const LinearAttentionSizes& s)
        : rows{carver, s},
          state_size{round_up(ChunkLayout::matrix(s.key_dim, rows.value_stride), 16)},
          values_across{carver.take(ChunkLayout::matrix(rows.value_stride, decay_block))},
          d_out{carver.take(ChunkLayout::matrix(decay_block, rows.value_stride))},
          d_out_across{carver.take(ChunkLayout::matrix(rows.value_stride, decay_block))},
          d_scores{carver.take(ChunkLayout::matrix(decay_block, decay_block))},
          d_keys_across{carver.take(ChunkLayout::matrix(rows.key_stride, decay_block))},
          dq{carver.take(ChunkLayout::matrix(decay_block, rows.key_stride))},
          dk{carver.take(ChunkLayout::matrix(decay_block, rows.key_stride))},
          dv{carver.take(ChunkLayout::matrix(decay_block, rows.value_stride))},
          dg{carver.take(rows.key_stride)},
          d_state{carver.take(ChunkLayout::matrix(s.key_dim, rows.value_stride))},
          states{carver.take((DecayBlocks{s}.count() + 1) * state_size)} {}
};

/// How one head (forward) or one key/value head (backward) of one sequence is done on one instruction set.
template <template <class> class Kernel>
struct HeadPieces {
    void (*in_float)(const Kernel<float>&, float* scratch, std::size_t sequence, std::size_t head);
    void (*in_double)(const Kernel<double>&, double* scratch, std::size_t sequence, std::size_t head);

    template <class T>
    void operator()(const Kernel<T>& kernel, T* scratch, std::size_t sequence, std::size_t head) const {
        if constexpr (std::is_same_v<T, float>) {
            in_float(kernel, scratch, sequence, head);
        } else {
            in_double(kernel, scratch, sequence, head);
        }
    }
};

/// How many T of scratch a piece needs.
template <class Workspace, class T>
std::size_t decay_workspace_size(const LinearAttentionSizes& sizes) {
    Carver<T> carver{nullptr};
    Workspace{carver, sizes};
    return carver.used();
}

}  // namespace loglog
