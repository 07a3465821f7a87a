#include <algorithm>
#include <set>

#include "engine/base/error.hpp"
#include "engine/kernels/attention_mask_builder.hpp"

namespace loglog {
namespace {

constexpr std::size_t tile = attention_tile;

std::size_t tiles_of(std::size_t tokens) { return (tokens + tile - 1) / tile; }

/// Tiles back from a tile of queries that keys less than `reach` before a query can lie in.
std::size_t distances_of(std::size_t reach, std::size_t tiles) {
    return std::min(tiles, (reach + tile - 2) / tile + 1);
}

/// Bits of the keys of a tile that `sees(key)` makes visible.
template <class Sees>
std::uint64_t column_bits(std::size_t key_tile, const Sees& sees) {
    std::uint64_t bits = 0;
    for (std::size_t key = 0; key < tile; ++key) {
        bits |= static_cast<std::uint64_t>(sees(key_tile * tile + key)) << key;
    }
    return bits;
}

/// What depends on the distance alone.
template <class Sees>
AttentionMask distance_mask(std::int64_t time, std::size_t reach, const Sees& sees) {
    AttentionMaskBuilder builder{time, 1};
    builder.add_distances(distances_of(reach, builder.tiles()), sees);
    for (std::size_t query_tile = 0; query_tile < builder.tiles(); ++query_tile) { builder.share(query_tile, 0); }
    return builder.finish();
}

/// `count` of [0, population), without replacement (Floyd's algorithm: Bentley 1987, CACM 30(9)).
std::set<std::uint64_t> draw(const Random& random, std::uint64_t first_index, std::uint64_t count,
                             std::uint64_t population) {
    std::set<std::uint64_t> drawn;
    for (std::uint64_t last = population - std::min(count, population); last < population; ++last) {
        if (!drawn.insert(random.below(first_index + drawn.size(), last + 1)).second) { drawn.insert(last); }
    }
    return drawn;
}

}  // namespace

AttentionMask window_mask(std::int64_t time, std::int64_t window, std::int64_t sinks) {
    LOGLOG_ASSERT(time >= 0 && window >= 1 && sinks >= 0);
    const auto reach = static_cast<std::size_t>(std::min(window, std::max<std::int64_t>(time, 1)));
    const auto first_keys = static_cast<std::size_t>(std::min(sinks, time));
    const auto sees = [&](std::size_t distance) { return distance < reach || window >= time; };
    if (first_keys == 0) { return distance_mask(time, reach, sees); }
    AttentionMaskBuilder builder{time, 1};
    const std::size_t distances = distances_of(reach, builder.tiles());
    builder.add_distances(distances, sees);
    for (std::size_t key_tile = 0; key_tile < tiles_of(first_keys); ++key_tile) {
        builder.add_column(key_tile, column_bits(key_tile, [&](std::size_t key) { return key < first_keys; }));
    }
    for (std::size_t query_tile = 0; query_tile < builder.tiles(); ++query_tile) {
        if (query_tile + 1 >= distances + tiles_of(first_keys)) {
            builder.share(query_tile, tiles_of(first_keys));
            continue;
        }
        for (std::size_t row = 0; row < builder.rows_of(query_tile);
             ++row) {  // the window's tiles are the first keys', too
            const std::size_t query = query_tile * tile + row;
            builder.add_keys(query_tile, row, 0, first_keys);
            builder.add_keys(query_tile, row, query + 1 > reach && window < time ? query + 1 - reach : 0, query + 1);
        }
        builder.end_row(query_tile, 0);
    }
    return builder.finish();
}

AttentionMask strided_mask(std::int64_t time, std::int64_t stride) {
    LOGLOG_ASSERT(time >= 0 && stride >= 1);
    const auto length = static_cast<std::size_t>(stride);
    return distance_mask(time, static_cast<std::size_t>(time) + tile,
                         [&](std::size_t distance) { return distance < length || distance % length == 0; });
}

AttentionMask dilated_mask(std::int64_t time, std::int64_t window, std::int64_t stride) {
    LOGLOG_ASSERT(time >= 0 && window >= 1 && stride >= 1);
    const auto step = static_cast<std::size_t>(stride);
    // Padding rows at the end of the last tile see at most a tile further than the length.
    const auto most = static_cast<std::size_t>(time) + tile;
    const std::size_t reach =
        static_cast<std::size_t>(window) > most / step ? most : static_cast<std::size_t>(window) * step;
    return distance_mask(time, reach, [&](std::size_t distance) { return distance < reach && distance % step == 0; });
}

AttentionMask fixed_mask(std::int64_t time, std::int64_t block, std::int64_t summary) {
    LOGLOG_ASSERT(time >= 0 && block >= 1 && summary >= 0 && summary <= block);
    const auto length = static_cast<std::size_t>(block);
    const std::size_t rest = length - static_cast<std::size_t>(summary);
    const auto is_summary = [&](std::size_t key) { return key % length >= rest; };
    AttentionMaskBuilder builder{time, 1};
    for (std::size_t key_tile = 0; key_tile < builder.tiles(); ++key_tile) {
        builder.add_column(key_tile, column_bits(key_tile, is_summary));
    }
    for (std::size_t query_tile = 0; query_tile < builder.tiles(); ++query_tile) {
        // Keys before the tile of the first query's block lie in earlier blocks than all of these queries.
        const std::size_t near = query_tile * tile / length * length / tile;
        for (std::size_t row = 0; row < builder.rows_of(query_tile); ++row) {
            const std::size_t query = query_tile * tile + row;
            const std::size_t own = query / length * length;
            for (std::size_t start = near * tile / length * length; start < own && summary > 0; start += length) {
                builder.add_keys(query_tile, row, std::max(start + rest, near * tile), start + length);
            }
            builder.add_keys(query_tile, row, own, query + 1);
        }
        builder.end_row(query_tile, builder.columns_before(near));
    }
    return builder.finish();
}

AttentionMask bigbird_mask(std::int64_t time, const BigBirdOptions& options, Seed seed, std::uint32_t layer,
                           std::int64_t first_head, std::int64_t heads) {
    LOGLOG_ASSERT(time >= 0 && options.block >= 1 && options.global_blocks >= 0 && options.random_blocks >= 0);
    LOGLOG_ASSERT(heads >= 1 && first_head >= 0);
    const auto length = static_cast<std::size_t>(options.block);
    const auto globals = static_cast<std::size_t>(options.global_blocks);
    const auto randoms = static_cast<std::uint64_t>(options.random_blocks);
    AttentionMaskBuilder builder{time, static_cast<std::size_t>(heads)};
    for (std::int64_t head = first_head; head < first_head + heads; ++head) {
        const Random random{seed, Stream::mask, std::uint64_t{layer} << 32 | static_cast<std::uint64_t>(head)};
        std::set<std::uint64_t> drawn;
        std::size_t drawn_for = static_cast<std::size_t>(-1);
        for (std::size_t query_tile = 0; query_tile < builder.tiles(); ++query_tile) {
            for (std::size_t row = 0; row < builder.rows_of(query_tile); ++row) {
                const std::size_t query = query_tile * tile + row;
                const std::size_t own = query / length;
                const std::size_t window = own < 2 ? 0 : own - 2;
                if (own != drawn_for) {
                    drawn = draw(random, std::uint64_t{own} << 32, randoms, window > globals ? window - globals : 0);
                    drawn_for = own;
                }
                builder.add_keys(query_tile, row, 0, globals * length);
                for (const std::uint64_t block : drawn) {
                    builder.add_keys(query_tile, row, (globals + block) * length, (globals + block + 1) * length);
                }
                builder.add_keys(query_tile, row, window * length, query + 1);
            }
            builder.end_row(query_tile, 0);
        }
    }
    return builder.finish();
}

}  // namespace loglog
