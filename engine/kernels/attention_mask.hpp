#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/base/random.hpp"

namespace loglog {

/// Queries and keys of softmax attention are handled in tiles of this many, a multiple of every register block's rows
/// and columns.
inline constexpr std::size_t attention_tile = 48;

/// For each query of a tile, the keys of one tile that it sees: bit c is key c of the tile.
using AttentionTileBits = std::array<std::uint64_t, attention_tile>;

/// Which keys each query of a sequence sees, its own and earlier ones only: for every tile of queries an ordered list
/// of tiles of keys. A head's lists have a part that all tiles of queries share (tables by key tile and by distance),
/// so that masks made of windows, strides and columns need memory that grows with the length, not with its square.
class AttentionMask {
  public:
    /// A tile of keys in a tile of queries' list.
    struct Tile {
        std::size_t key_tile;
        const AttentionTileBits* bits;  ///< none: every query sees all of these keys that are not later than itself
    };
    /// What the lists are made of; built by the generators below.
    struct Tables {
        static constexpr std::uint32_t full = 0xffffffffu;
        struct Entry {
            std::uint32_t place;    // a key tile, or how many tiles before the queries' own
            std::uint32_t pattern;  // place in `patterns`, or `full`
        };
        struct Row {
            std::uint32_t columns;  // the first so many of `columns`, ...
            std::uint32_t begin;    // ... then these of `near`, with falling distances
            std::uint32_t end;
        };
        std::vector<Row> rows;  // [heads, tiles of queries]
        std::vector<Entry> columns;
        std::vector<Entry> near;
        std::vector<AttentionTileBits> patterns;
    };

    AttentionMask(std::size_t time, std::size_t heads, Tables tables);

    std::size_t time() const noexcept { return time_; }
    /// Heads that have lists of their own; 1: all heads share one.
    std::size_t heads() const noexcept { return heads_; }

    std::size_t tile_count(std::size_t head, std::size_t query_tile) const noexcept {
        const auto& row = row_of(head, query_tile);
        return row.columns + (row.end - row.begin);
    }
    /// The list's entry `index`; key tiles rise with it.
    Tile tile(std::size_t head, std::size_t query_tile, std::size_t index) const noexcept {
        const auto& row = row_of(head, query_tile);
        const bool is_column = index < row.columns;
        const auto& entry = is_column ? tables_.columns[index] : tables_.near[row.begin + (index - row.columns)];
        return {is_column ? entry.place : query_tile - entry.place,
                entry.pattern == Tables::full ? nullptr : &tables_.patterns[entry.pattern]};
    }
    /// Whether `query` sees `key`.
    bool sees(std::size_t head, std::size_t query, std::size_t key) const noexcept;
    /// Pairs of a query and a key that it sees, among the first `time` tokens.
    std::uint64_t visible_pairs(std::size_t head, std::size_t time) const noexcept;
    /// Whether every query of every head sees all keys up to itself.
    bool is_dense() const noexcept { return is_dense_; }
    /// Memory of the tables.
    std::size_t bytes() const noexcept;

  private:
    const Tables::Row& row_of(std::size_t head, std::size_t query_tile) const noexcept {
        return tables_.rows[(heads_ == 1 ? 0 : head) * tiles_ + query_tile];
    }
    std::uint64_t count_pairs(std::size_t head, std::size_t time) const noexcept;

    std::size_t time_;
    std::size_t tiles_;
    std::size_t heads_;
    Tables tables_;
    std::vector<std::uint64_t> pairs_;  // [heads], of the whole length
    bool is_dense_ = true;
};

/// The last `window` keys, the query's own included, and the first `sinks` (Beltagy et al. 2020, arXiv:2004.05150; Xiao
/// et al. 2023, arXiv:2309.17453). A window of the whole length has the tiles of no mask at all.
AttentionMask window_mask(std::int64_t time, std::int64_t window, std::int64_t sinks);

/// The last `stride` keys and every stride-th before: i - j < stride or (i - j) mod stride = 0. Both kinds of head of
/// the Sparse Transformer's strided attention in one (Child et al. 2019, arXiv:1904.10509, sec. 4.3).
AttentionMask strided_mask(std::int64_t time, std::int64_t stride);

/// The query's own block and the last `summary` keys of each earlier one (the same, fixed attention).
AttentionMask fixed_mask(std::int64_t time, std::int64_t block, std::int64_t summary);

/// Every stride-th of the last `window` * `stride` keys.
AttentionMask dilated_mask(std::int64_t time, std::int64_t window, std::int64_t stride);

struct BigBirdOptions {
    std::int64_t block;
    std::int64_t global_blocks;  ///< first blocks, which all see
    std::int64_t random_blocks;  ///< further ones, all that there are if there are fewer
};
/// The query's own block and the two before, the first ones, and random ones (Zaheer et al. 2020, arXiv:2007.14062),
/// drawn without replacement per layer, head and block of queries. Heads are counted over the whole model, so a mask
/// for some of them has what the mask for all has: head h here is head first_head + h there.
AttentionMask bigbird_mask(std::int64_t time, const BigBirdOptions& options, Seed seed, std::uint32_t layer,
                           std::int64_t first_head, std::int64_t heads);

/// A mask from a text:
///
///     # a comment, to the end of the line
///     block 64       <- tokens in a block; before all rows, may be left out: 1
///     0              <- the key blocks that the first block of queries sees
///     0-1            <- ... the second; numbers and ranges, in any order
///     0 2
///
/// Empty lines do not count. Inside its own block a query sees the keys up to itself, if the row names that block. Rows
/// beyond `time` are checked and not used. Throws InputError, which names the line, for anything else than numbers and
/// ranges, a row that names a later block or none, and too few rows.
AttentionMask pattern_mask(std::int64_t time, std::string_view text);

}  // namespace loglog
