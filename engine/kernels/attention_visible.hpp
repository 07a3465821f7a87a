#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "engine/kernels/attention.hpp"

namespace loglog {

/// A tile of keys of which some query of a tile sees some.
struct VisibleTile {
    std::size_t key_tile;
    const std::uint64_t* bits;  ///< [attention_tile] as in AttentionTileBits; none: all keys up to the query's own
};

/// The rows of `rows` (bits) in order: what is done for some queries of a tile is done for these alone.
class SomeRows {
  public:
    /// More rows than this are not worth being moved.
    static constexpr std::size_t most = attention_tile * 3 / 4;

    explicit SomeRows(std::uint64_t rows) noexcept {
        for (; rows != 0; rows &= rows - 1) { places_[count_++] = static_cast<std::size_t>(std::countr_zero(rows)); }
    }
    std::size_t count() const noexcept { return count_; }
    std::size_t operator[](std::size_t index) const noexcept { return places_[index]; }

    /// Rows of `width` values, close together, and back in their places.
    template <class T>
    void gather(const T* from, std::size_t width, T* to) const noexcept {
        for (std::size_t i = 0; i < count_; ++i) { std::copy_n(from + places_[i] * width, width, to + i * width); }
    }
    template <class T>
    void scatter(const T* from, std::size_t width, T* to) const noexcept {
        for (std::size_t i = 0; i < count_; ++i) { std::copy_n(from + i * width, width, to + places_[i] * width); }
    }

  private:
    std::array<std::size_t, attention_tile> places_;
    std::size_t count_ = 0;
};

/// The first `rows` queries that see any key of a tile; all without bits.
inline std::uint64_t seeing_rows(const std::uint64_t* bits, std::size_t rows) noexcept {
    if (bits == nullptr) { return (std::uint64_t{1} << rows) - 1; }
    std::uint64_t seeing = 0;
    for (std::size_t row = 0; row < rows; ++row) { seeing |= static_cast<std::uint64_t>(bits[row] != 0) << row; }
    return seeing;
}

/// Goes through the tiles of keys that a tile of queries sees, in order, with everything that AttentionVisibility says
/// put together.
class VisibleTiles {
  public:
    /// How many 64-bit words of scratch there must be.
    static std::size_t scratch_words(const AttentionSizes& s) noexcept {
        return (s.time + attention_tile - 1) / attention_tile * (attention_tile + 1);
    }

    VisibleTiles(const AttentionSizes& sizes, const AttentionVisibility& visible, std::size_t sequence,
                 std::size_t head, std::uint64_t* scratch) noexcept
        : sizes_{sizes}, visible_{visible}, sequence_{sequence}, head_{head}, chosen_{scratch} {
        if (visible.selection.top_k > 0) { std::fill_n(scratch, scratch_words(sizes), std::uint64_t{0}); }
    }

    /// Calls `body(VisibleTile)` for the tiles in [begin, end); the bits of a call and of the one before stay valid.
    template <class Body>
    void for_each(std::size_t query_tile, std::size_t begin, std::size_t end, const Body& body) {
        end = std::min(end, query_tile + 1);
        begin = std::max(begin, start_of(query_tile * attention_tile) / attention_tile);
        if (visible_.selection.top_k > 0) {
            for_each_chosen(query_tile, begin, end, body);
        } else if (visible_.mask == nullptr) {
            for (std::size_t key_tile = begin; key_tile < end; ++key_tile) {
                visit(query_tile, {key_tile, nullptr}, body);
            }
        } else {
            const auto& mask = *visible_.mask;
            const std::size_t count = mask.tile_count(head_, query_tile);
            for (std::size_t index = 0; index < count; ++index) {
                const auto tile = mask.tile(head_, query_tile, index);
                if (tile.key_tile >= end) { break; }
                if (tile.key_tile < begin) { continue; }
                visit(query_tile, {tile.key_tile, tile.bits == nullptr ? nullptr : tile.bits->data()}, body);
            }
        }
    }

    /// Rows that see one key alone, as bits: their probability is one and its gradient zero, without rounding errors.
    std::uint64_t lone_rows(std::size_t query_tile) {
        std::array<std::size_t, attention_tile> counts{};
        for_each(query_tile, 0, query_tile + 1, [&](const VisibleTile& tile) {
            for (std::size_t row = 0; row < attention_tile; ++row) {
                const std::uint64_t bits =
                    tile.bits == nullptr ? causal(query_tile, tile.key_tile, row) : tile.bits[row];
                counts[row] += static_cast<std::size_t>(std::popcount(bits));
            }
        });
        std::uint64_t lone = 0;
        for (std::size_t row = 0; row < attention_tile; ++row) {
            lone |= static_cast<std::uint64_t>(counts[row] == 1) << row;
        }
        return lone;
    }

  private:
    static constexpr std::uint64_t all = (std::uint64_t{1} << attention_tile) - 1;

    static std::uint64_t causal(std::size_t query_tile, std::size_t key_tile, std::size_t row) noexcept {
        return query_tile == key_tile ? (std::uint64_t{2} << row) - 1 : all;
    }
    std::size_t start_of(std::size_t query) const noexcept {
        return visible_.document_start.empty()
                   ? 0
                   : static_cast<std::size_t>(visible_.document_start[sequence_ * sizes_.time + query]);
    }
    std::size_t rows_of(std::size_t query_tile) const noexcept {
        return std::min(attention_tile, sizes_.time - query_tile * attention_tile);
    }

    /// Hides what lies before the queries' documents.
    template <class Body>
    void visit(std::size_t query_tile, const VisibleTile& tile, const Body& body) {
        const std::size_t query = query_tile * attention_tile;
        const std::size_t key = tile.key_tile * attention_tile;
        const std::size_t rows = rows_of(query_tile);
        if (start_of(query + rows - 1) <= key) {
            body(tile);
            return;
        }
        auto& bits = combined_[next_];
        bits = {};
        std::uint64_t any = 0;
        for (std::size_t row = 0; row < rows; ++row) {
            const std::size_t start = start_of(query + row);
            const std::size_t hidden = start <= key ? 0 : std::min(start - key, attention_tile);
            const std::uint64_t before = tile.bits == nullptr ? causal(query_tile, tile.key_tile, row) : tile.bits[row];
            bits[row] = before & ~((std::uint64_t{1} << hidden) - 1);
            any |= bits[row];
        }
        if (any == 0) { return; }
        next_ = 1 - next_;
        body(VisibleTile{tile.key_tile, bits.data()});
    }

    template <class Body>
    void for_each_chosen(std::size_t query_tile, std::size_t begin, std::size_t end, const Body& body) {
        const std::size_t rows = rows_of(query_tile);
        mark_chosen(query_tile, rows);
        for (std::size_t key_tile = 0; key_tile <= query_tile; ++key_tile) {
            std::uint64_t* const bits = chosen_ + key_tile * (attention_tile + 1);
            if (bits[attention_tile] == 0) { continue; }
            if (key_tile >= begin && key_tile < end) {
                bool is_full = true;
                for (std::size_t row = 0; row < rows; ++row) {
                    is_full = is_full && bits[row] == causal(query_tile, key_tile, row);
                }
                auto& copy = combined_[next_];
                next_ = 1 - next_;
                std::copy_n(bits, attention_tile, copy.begin());
                body(VisibleTile{key_tile, is_full ? nullptr : copy.data()});
            }
            std::fill_n(bits, attention_tile + 1, std::uint64_t{0});
        }
    }
    void mark_chosen(std::size_t query_tile, std::size_t rows) {
        const auto& selection = visible_.selection;
        for (std::size_t row = 0; row < rows; ++row) {
            const std::size_t query = query_tile * attention_tile + row;
            const std::size_t place = ((sequence_ * sizes_.time + query) * sizes_.heads + head_) * selection.top_k;
            for (std::size_t index = 0; index < selection.top_k; ++index) {
                const std::int32_t block = selection.blocks[place + index];
                if (block < 0) { break; }
                std::size_t key = start_of(query) + static_cast<std::size_t>(block) * selection.block;
                for (const std::size_t end = std::min(key + selection.block, query + 1); key < end;) {
                    const std::size_t first = key % attention_tile;
                    const std::size_t count = std::min(attention_tile - first, end - key);
                    std::uint64_t* const bits = chosen_ + key / attention_tile * (attention_tile + 1);
                    bits[row] |= ((std::uint64_t{1} << count) - 1) << first;
                    bits[attention_tile] = 1;
                    key += count;
                }
            }
        }
    }

    const AttentionSizes& sizes_;
    const AttentionVisibility& visible_;
    std::size_t sequence_;
    std::size_t head_;
    std::uint64_t* chosen_;  // [tiles of keys, attention_tile + 1]: bits, and whether there are any; zero between calls
    std::array<AttentionTileBits, 2> combined_;
    std::size_t next_ = 0;
};

}  // namespace loglog
