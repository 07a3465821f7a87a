#include "engine/nn/cut.hpp"

#include <algorithm>

namespace loglog {
namespace {

std::int64_t rows_of(const Shape& shape) { return shape[0]; }
std::int64_t columns_of(const Shape& shape) { return shape[0] == 0 ? 0 : shape.elements() / shape[0]; }

/// Leaves that hold the same piece of a block.
std::int64_t copies(const CutBlock& block, std::int64_t leaves) {
    return block.padded || block.units >= leaves ? 1 : leaves / block.units;
}

void append_block(const CutBlock& block, std::int64_t global_first, std::int64_t local_first, std::int64_t columns,
                  const TensorShard& shard, std::vector<Segment>& result) {
    const auto rows = rows_per_leaf(block, shard.leaves);
    const auto sharing = copies(block, shard.leaves);
    for (std::int64_t i = 0; i < shard.leaf_count; ++i) {
        const auto leaf = shard.first_leaf + i;
        const auto first = leaf / sharing * rows;
        const auto real = std::clamp<std::int64_t>(block.rows - first, 0, rows);
        if (real == 0) { continue; }
        result.push_back({.local_row = local_first + i * rows,
                          .global_row = global_first + first,
                          .rows = real,
                          .global_column = 0,
                          .columns = columns,
                          .first_leaf = leaf,
                          .leaf_count = 1,
                          .owned = leaf % sharing == 0});
    }
}

}  // namespace

std::int64_t rows_per_leaf(const CutBlock& block, std::int64_t leaves) {
    if (block.padded && leaves > 1) {
        constexpr std::int64_t multiple = 8;
        const auto share = (block.rows + leaves - 1) / leaves;
        return (share + multiple - 1) / multiple * multiple;
    }
    return block.rows / std::min(block.units, leaves);
}

Shape local_shape(const Shape& global, const Cut& cut, const TensorShard& shard) {
    if (!shard.is_cut() || cut.axis == Cut::Axis::whole) { return global; }
    Shape result = global;
    if (cut.axis == Cut::Axis::columns) {
        result.set_back(global.back() / shard.leaves * shard.leaf_count);
        return result;
    }
    std::int64_t rows = 0;
    for (const auto& block : cut.blocks) { rows += shard.leaf_count * rows_per_leaf(block, shard.leaves); }
    if (global.rank() == 1) { return Shape{rows}; }
    return Shape{rows, columns_of(global)};
}

std::vector<Segment> segments(const Shape& global, const Cut& cut, const TensorShard& shard) {
    const Segment all{.rows = rows_of(global), .columns = columns_of(global), .owned = shard.first_leaf == 0};
    if (!shard.is_cut() || cut.axis == Cut::Axis::whole) { return {all}; }
    if (cut.axis == Cut::Axis::columns) {
        const auto columns = all.columns / shard.leaves;
        return {{.local_row = 0,
                 .global_row = 0,
                 .rows = all.rows,
                 .global_column = shard.first_leaf * columns,
                 .columns = shard.leaf_count * columns,
                 .first_leaf = shard.first_leaf,
                 .leaf_count = shard.leaf_count,
                 .owned = true}};
    }
    std::vector<Segment> result;
    std::int64_t global_first = 0;
    std::int64_t local_first = 0;
    for (const auto& block : cut.blocks) {
        append_block(block, global_first, local_first, all.columns, shard, result);
        global_first += block.rows;
        local_first += shard.leaf_count * rows_per_leaf(block, shard.leaves);
    }
    return result;
}

}  // namespace loglog
