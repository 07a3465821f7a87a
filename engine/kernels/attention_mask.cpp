#include "engine/kernels/attention_mask.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "engine/base/error.hpp"

namespace loglog {

AttentionMask::AttentionMask(std::size_t time, std::size_t heads, Tables tables)
    : time_{time},
      tiles_{(time + attention_tile - 1) / attention_tile},
      heads_{heads},
      tables_{std::move(tables)},
      pairs_(heads) {
    LOGLOG_ASSERT(heads_ > 0 && tables_.rows.size() == heads_ * tiles_);
    for (std::size_t head = 0; head < heads_; ++head) {
        pairs_[head] = count_pairs(head, time_);
        is_dense_ = is_dense_ && pairs_[head] == std::uint64_t{time_} * (time_ + 1) / 2;
    }
}

bool AttentionMask::sees(std::size_t head, std::size_t query, std::size_t key) const noexcept {
    if (key > query) { return false; }
    const std::size_t query_tile = query / attention_tile;
    std::size_t begin = 0;
    std::size_t end = tile_count(head, query_tile);
    while (begin < end) {
        const std::size_t middle = begin + (end - begin) / 2;
        const Tile found = tile(head, query_tile, middle);
        if (found.key_tile == key / attention_tile) {
            return found.bits == nullptr || ((*found.bits)[query % attention_tile] >> (key % attention_tile) & 1) != 0;
        }
        (found.key_tile < key / attention_tile ? begin : end) =
            found.key_tile < key / attention_tile ? middle + 1 : middle;
    }
    return false;
}

std::uint64_t AttentionMask::visible_pairs(std::size_t head, std::size_t time) const noexcept {
    return time == time_ ? pairs_[heads_ == 1 ? 0 : head] : count_pairs(head, time);
}

std::uint64_t AttentionMask::count_pairs(std::size_t head, std::size_t time) const noexcept {
    std::uint64_t pairs = 0;
    for (std::size_t query = 0; query < time; query += attention_tile) {
        const std::size_t query_tile = query / attention_tile;
        const std::size_t rows = std::min(attention_tile, time - query);
        for (std::size_t index = 0; index < tile_count(head, query_tile); ++index) {
            const Tile found = tile(head, query_tile, index);
            if (found.bits != nullptr) {
                for (std::size_t row = 0; row < rows; ++row) {
                    pairs += static_cast<std::uint64_t>(std::popcount((*found.bits)[row]));
                }
            } else {
                pairs += found.key_tile == query_tile ? rows * (rows + 1) / 2 : rows * attention_tile;
            }
        }
    }
    return pairs;
}

std::size_t AttentionMask::bytes() const noexcept {
    return tables_.rows.size() * sizeof(Tables::Row) +
           (tables_.columns.size() + tables_.near.size()) * sizeof(Tables::Entry) +
           tables_.patterns.size() * sizeof(AttentionTileBits);
}

}  // namespace loglog
