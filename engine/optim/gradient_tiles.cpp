#include "engine/optim/gradient_tiles.hpp"

#include <algorithm>
#include <cmath>

namespace loglog {
namespace {

constexpr std::int64_t tile_values = 4096;

std::int64_t rows_per_tile(std::int64_t leaf_columns) {
    return std::max<std::int64_t>(1, tile_values / std::max<std::int64_t>(1, leaf_columns));
}

std::int64_t tiles_in(std::int64_t rows, std::int64_t per_tile) { return (rows + per_tile - 1) / per_tile; }

bool cuts_columns(const ParameterSpec& spec, const TensorShard& shard) {
    return spec.cut.axis == Cut::Axis::columns && shard.is_cut();
}

}  // namespace

GradientTiles::GradientTiles(const Parameters& parameters) {
    for (std::size_t index = 0; index < parameters.size(); ++index) {
        add(parameters, static_cast<ParameterId>(index));
    }
}

void GradientTiles::add(const Parameters& parameters, ParameterId id) {
    const auto& spec = parameters.spec(id);
    const auto& shard = parameters.shard();
    const bool columns = cuts_columns(spec, shard);
    const std::int64_t all_leaves = columns ? shard.leaves : 1;
    const std::int64_t local_leaves = columns ? shard.leaf_count : 1;
    const std::size_t first = first_entries_.back();

    // The table's order is that of the whole model on one rank, copies left out.
    struct Piece {
        std::int64_t global_row;
        std::size_t first_entry;
    };
    std::vector<Piece> pieces;
    std::size_t next = first;
    const TensorShard whole{.leaves = shard.leaves, .first_leaf = 0, .leaf_count = shard.leaves};
    for (const auto& segment : segments(spec.shape, spec.cut, whole)) {
        if (!segment.owned) { continue; }
        pieces.push_back({segment.global_row, next});
        next +=
            static_cast<std::size_t>(tiles_in(segment.rows, rows_per_tile(segment.columns / all_leaves)) * all_leaves);
    }
    first_entries_.push_back(next);

    for (const auto& segment : parameters.segments(id)) {
        const auto per_tile = rows_per_tile(segment.columns / local_leaves);
        const auto piece = std::ranges::find(pieces, segment.global_row, &Piece::global_row);
        const std::int64_t leaf = columns ? shard.first_leaf : 0;
        for (std::int64_t row = 0; row < segment.rows; row += per_tile) {
            const auto entry = row / per_tile * all_leaves + leaf;
            tiles_.push_back({.parameter = id,
                              .first_row = segment.local_row + row,
                              .rows = std::min(per_tile, segment.rows - row),
                              .columns = segment.columns,
                              .by_leaf = columns,
                              .leaves = local_leaves,
                              .first_entry = piece->first_entry + static_cast<std::size_t>(entry),
                              .owned = segment.owned});
        }
    }
    starts_.push_back(tiles_.size());
}

template <class T>
void append_squares(std::vector<SquaresTile<T>>& to, std::span<const RowTile> tiles, std::span<const T> values) {
    for (const auto& tile : tiles) {
        const T* x = values.data() + tile.first_row * tile.columns;
        if (!tile.by_leaf) {
            const auto count = static_cast<std::size_t>(tile.rows * tile.columns);
            to.push_back({.x = x, .rows = 1, .columns = count, .stride = count, .place = tile.first_entry});
            continue;
        }
        const auto columns = static_cast<std::size_t>(tile.columns / tile.leaves);
        for (std::size_t leaf = 0; leaf < static_cast<std::size_t>(tile.leaves); ++leaf) {
            to.push_back({.x = x + leaf * columns,
                          .rows = static_cast<std::size_t>(tile.rows),
                          .columns = columns,
                          .stride = static_cast<std::size_t>(tile.columns),
                          .place = tile.first_entry + leaf});
        }
    }
}

double norm_of(std::span<const double> entries) noexcept {
    double sum = 0;
    for (const double entry : entries) { sum += entry; }
    return std::sqrt(sum);
}

template void append_squares(std::vector<SquaresTile<float>>&, std::span<const RowTile>, std::span<const float>);
template void append_squares(std::vector<SquaresTile<double>>&, std::span<const RowTile>, std::span<const double>);

}  // namespace loglog
