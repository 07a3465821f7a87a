#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/attention.hpp"
#include "engine/kernels/attention_visible.hpp"

namespace loglog {

/// Keys whose probabilities the forward pass holds at once, per tile of queries.
inline constexpr std::size_t attention_key_block = 2 * attention_tile;
/// Queries whose probabilities the backward pass holds at once, per tile of keys.
inline constexpr std::size_t attention_query_block = 2 * attention_tile;
/// Queries of one piece of forward work: each packs the keys it needs once.
inline constexpr std::size_t attention_query_chunk = 10 * attention_tile;

constexpr std::size_t round_up(std::size_t n, std::size_t multiple) noexcept {
    return (n + multiple - 1) / multiple * multiple;
}
/// Rows and columns that packed matrices have in memory; what is added is zero.
constexpr std::size_t padded_time(std::size_t time) noexcept { return round_up(time, attention_tile); }
constexpr std::size_t tile_count(std::size_t time) noexcept { return padded_time(time) / attention_tile; }
constexpr std::size_t padded_dim(std::size_t head_dim) noexcept { return round_up(head_dim, 16); }

/// Hands out consecutive arrays, each on its own cache lines, of memory at `base` (or, with none, only counts).
template <class T>
class Carver {
  public:
    explicit Carver(T* base) noexcept : base_{base} {}

    T* take(std::size_t count) noexcept {
        T* result = base_ == nullptr ? nullptr : base_ + used_;
        used_ += round_up(count, 64 / sizeof(T));
        return result;
    }
    std::size_t used() const noexcept { return used_; }

  private:
    T* base_;
    std::size_t used_ = 0;
};

/// Scratch of one piece of the forward pass.
template <class T>
struct AttentionForwardWorkspace {
    T* keys;           // panels of [head_dim, panel] keys each
    T* values;         // [time, dim]
    T* queries;        // [tile, dim], scaled
    T* out;            // [tile, dim], before division by the sums
    T* probabilities;  // [tile, key_block]
    T* sums;           // [tile, 16]: of the last block of keys, per vector lane
    T* totals;         // [tile, 16]: of all blocks
    T* largest;        // [tile]
    T* rescale;        // [tile]: what earlier sums are multiplied by once a larger score is met
    // Only where some keys are hidden:
    bool* packed;           // [tiles of keys]: whether keys and values are there
    std::uint64_t* chosen;  // VisibleTiles' scratch
    // Of the queries of a tile that see some key of a block, if they are few:
    T* some_queries;  // [tile, dim]
    T* some_out;      // [tile, dim]
    T* some_totals;   // [tile, 16]
    T* some_largest;  // [tile]

    AttentionForwardWorkspace(Carver<T>& carver, const AttentionSizes& s)
        : keys{carver.take(padded_time(s.time) * s.head_dim)},
          values{carver.take(padded_time(s.time) * padded_dim(s.head_dim))},
          queries{carver.take(attention_tile * padded_dim(s.head_dim))},
          out{carver.take(attention_tile * padded_dim(s.head_dim))},
          probabilities{carver.take(attention_tile * attention_key_block)},
          sums{carver.take(attention_tile * 16)},
          totals{carver.take(attention_tile * 16)},
          largest{carver.take(attention_tile)},
          rescale{carver.take(attention_tile)},
          packed{reinterpret_cast<bool*>(carver.take(tile_count(s.time)))},
          chosen{reinterpret_cast<std::uint64_t*>(
              carver.take(VisibleTiles::scratch_words(s) * sizeof(std::uint64_t) / sizeof(T)))},
          some_queries{carver.take(attention_tile * padded_dim(s.head_dim))},
          some_out{carver.take(attention_tile * padded_dim(s.head_dim))},
          some_totals{carver.take(attention_tile * 16)},
          some_largest{carver.take(attention_tile)} {}
};

/// Scratch of one piece of the backward pass.
template <class T>
struct AttentionBackwardWorkspace {
    T* keys;           // panels of [head_dim, panel] keys each
    T* values;         // likewise
    T* key_rows;       // [time, dim]
    T* queries;        // [time, dim], scaled
    T* d_out;          // [time, dim]
    T* dq;             // [time, dim]
    T* dk;             // [time, dim]
    T* dv;             // [time, dim]
    T* lse;            // [time], in base 2
    T* delta;          // [time]: sum over channels of d_out * out
    T* probabilities;  // [query_block, tile]
    T* d_scores;       // [query_block, tile]
    T* kept;           // [query_block, tile]: dropout's factors
    // Only where some keys are hidden:
    bool* packed;           // [tiles of keys]: whether keys and values are there
    std::uint64_t* chosen;  // VisibleTiles' scratch
    // Of the queries of a tile that see some key of another, if they are few:
    T* some_queries;  // [tile, dim]
    T* some_d_out;    // [tile, dim]
    T* some_dq;       // [tile, dim]
    T* some_lse;      // [tile]
    T* some_delta;    // [tile]

    AttentionBackwardWorkspace(Carver<T>& carver, const AttentionSizes& s)
        : keys{carver.take(padded_time(s.time) * s.head_dim)},
          values{carver.take(padded_time(s.time) * s.head_dim)},
          key_rows{carver.take(padded_time(s.time) * padded_dim(s.head_dim))},
          queries{carver.take(padded_time(s.time) * padded_dim(s.head_dim))},
          d_out{carver.take(padded_time(s.time) * padded_dim(s.head_dim))},
          dq{carver.take(padded_time(s.time) * padded_dim(s.head_dim))},
          dk{carver.take(padded_time(s.time) * padded_dim(s.head_dim))},
          dv{carver.take(padded_time(s.time) * padded_dim(s.head_dim))},
          lse{carver.take(padded_time(s.time))},
          delta{carver.take(padded_time(s.time))},
          probabilities{carver.take(attention_query_block * attention_tile)},
          d_scores{carver.take(attention_query_block * attention_tile)},
          kept{carver.take(attention_query_block * attention_tile)},
          packed{reinterpret_cast<bool*>(carver.take(tile_count(s.time)))},
          chosen{reinterpret_cast<std::uint64_t*>(
              carver.take(VisibleTiles::scratch_words(s) * sizeof(std::uint64_t) / sizeof(T)))},
          some_queries{carver.take(attention_tile * padded_dim(s.head_dim))},
          some_d_out{carver.take(attention_tile * padded_dim(s.head_dim))},
          some_dq{carver.take(attention_tile * padded_dim(s.head_dim))},
          some_lse{carver.take(attention_tile)},
          some_delta{carver.take(attention_tile)} {}
};

/// How many T of scratch a piece needs.
template <class Workspace, class T>
std::size_t workspace_size(const AttentionSizes& sizes) {
    Carver<T> carver{nullptr};
    Workspace{carver, sizes};
    return carver.used();
}

}  // namespace loglog
