#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "engine/kernels/attention_mask.hpp"

namespace loglog {

/// Collects a mask's tables. Tiles of queries come in order, head by head; each is given as intervals of keys per query
/// (add_keys, end_row) or as the end of a list that all share (share).
class AttentionMaskBuilder {
  public:
    AttentionMaskBuilder(std::int64_t time, std::size_t heads)
        : time_{static_cast<std::size_t>(time)},
          tiles_{(time_ + attention_tile - 1) / attention_tile},
          heads_{heads},
          row_(tiles_ == 0 ? 1 : tiles_) {}

    std::size_t tiles() const noexcept { return tiles_; }
    /// Queries of the tile that exist.
    std::size_t rows_of(std::size_t query_tile) const noexcept {
        return std::min(attention_tile, time_ - query_tile * attention_tile);
    }

    /// Row `row` of the current tile of queries sees keys [begin, end), as far as they are not later than itself.
    void add_keys(std::size_t query_tile, std::size_t row, std::size_t begin, std::size_t end) {
        end = std::min(end, query_tile * attention_tile + row + 1);
        while (begin < end) {
            const std::size_t key_tile = begin / attention_tile;
            const std::size_t first = begin % attention_tile;
            const std::size_t count = std::min(attention_tile - first, end - begin);
            row_[key_tile][row] |= ((std::uint64_t{1} << count) - 1) << first;
            lowest_ = std::min(lowest_, key_tile);
            begin += count;
        }
    }
    /// Ends a tile of queries: the first `columns` entries of the columns, then what was added.
    void end_row(std::size_t query_tile, std::size_t columns) {
        const auto begin = static_cast<std::uint32_t>(tables_.near.size());
        for (std::size_t key_tile = std::min(lowest_, query_tile); key_tile <= query_tile; ++key_tile) {
            if (const auto pattern = pattern_of(row_[key_tile], rows_of(query_tile), key_tile == query_tile)) {
                tables_.near.push_back({static_cast<std::uint32_t>(query_tile - key_tile), *pattern});
            }
            row_[key_tile] = {};
        }
        lowest_ = static_cast<std::size_t>(-1);
        tables_.rows.push_back(
            {static_cast<std::uint32_t>(columns), begin, static_cast<std::uint32_t>(tables_.near.size())});
    }

    /// The next column: a tile of keys of which all queries behind it see the keys in `bits`.
    void add_column(std::size_t key_tile, std::uint64_t bits) {
        AttentionTileBits rows;
        rows.fill(bits);
        if (const auto pattern = pattern_of(rows, attention_tile, false)) {
            tables_.columns.push_back({static_cast<std::uint32_t>(key_tile), *pattern});
        }
    }
    /// Entries of the columns that lie before `key_tile`.
    std::size_t columns_before(std::size_t key_tile) const {
        const auto found =
            std::partition_point(tables_.columns.begin(), tables_.columns.end(),
                                 [&](const AttentionMask::Tables::Entry& e) { return e.place < key_tile; });
        return static_cast<std::size_t>(found - tables_.columns.begin());
    }

    /// A list by distance: of `distances` tiles, those that `sees(i - j)` makes visible.
    template <class Sees>
    void add_distances(std::size_t distances, const Sees& sees) {
        for (std::size_t distance = distances; distance-- > 0;) {
            AttentionTileBits rows{};
            for (std::size_t row = 0; row < attention_tile; ++row) {
                const std::size_t query = distance * attention_tile + row;
                for (std::size_t key = 0; key < attention_tile && key <= query; ++key) {
                    rows[row] |= static_cast<std::uint64_t>(sees(query - key)) << key;
                }
            }
            if (const auto pattern = pattern_of(rows, attention_tile, distance == 0)) {
                tables_.near.push_back({static_cast<std::uint32_t>(distance), *pattern});
            }
        }
        shared_end_ = tables_.near.size();
    }
    /// The next tile of queries has the columns and, of the list by distance, what exists.
    void share(std::size_t query_tile, std::size_t columns) {
        const auto end = tables_.near.begin() + static_cast<std::ptrdiff_t>(shared_end_);
        const auto begin = std::partition_point(
            tables_.near.begin(), end, [&](const AttentionMask::Tables::Entry& e) { return e.place > query_tile; });
        tables_.rows.push_back({static_cast<std::uint32_t>(columns),
                                static_cast<std::uint32_t>(begin - tables_.near.begin()),
                                static_cast<std::uint32_t>(shared_end_)});
    }

    AttentionMask finish() { return {time_, heads_, std::move(tables_)}; }

  private:
    /// The place of these bits among the patterns, `full`, or none if nothing is visible to the first `count` rows.
    std::optional<std::uint32_t> pattern_of(const AttentionTileBits& rows, std::size_t count, bool diagonal) {
        constexpr std::uint64_t all = (std::uint64_t{1} << attention_tile) - 1;
        bool is_empty = true;
        bool is_full = true;
        for (std::size_t row = 0; row < count; ++row) {
            const std::uint64_t causal = diagonal ? (std::uint64_t{2} << row) - 1 : all;
            is_empty = is_empty && rows[row] == 0;
            is_full = is_full && rows[row] == causal;
        }
        if (is_empty) { return {}; }
        if (is_full) { return AttentionMask::Tables::full; }
        const auto [found, is_new] = known_.emplace(rows, static_cast<std::uint32_t>(tables_.patterns.size()));
        if (is_new) { tables_.patterns.push_back(rows); }
        return found->second;
    }

    std::size_t time_;
    std::size_t tiles_;
    std::size_t heads_;
    std::vector<AttentionTileBits> row_;  // [tiles]: the current tile of queries against all tiles of keys
    std::size_t lowest_ = static_cast<std::size_t>(-1);
    std::size_t shared_end_ = 0;
    std::map<AttentionTileBits, std::uint32_t> known_;
    AttentionMask::Tables tables_;
};

}  // namespace loglog
