#pragma once

#include <cstdint>
#include <vector>

#include "engine/parallel/tensor_shard.hpp"
#include "engine/tensor/shape.hpp"

namespace loglog {

/// Rows of a parameter that are cut by themselves, such as the keys' rows of a fused [queries | keys | values].
struct CutBlock {
    std::int64_t rows = 0;   ///< in all leaves (for rank 1: values)
    std::int64_t units = 0;  ///< that cannot be cut further: heads, columns, tokens of the vocabulary
    /// Of a vocabulary: pieces are ceil(rows / leaves) rows, rounded up to a multiple of 8; what is beyond `rows` is
    /// padding that stays zero. Otherwise leaves divide units, or units divide leaves.
    bool padded = false;
};

/// How a parameter is cut among the leaves of a tensor-parallel model.
///
/// A block with fewer units than leaves (keys and values of grouped queries; a gain shared by all heads is one unit)
/// has one piece per unit, and leaves / units neighbouring leaves each hold a copy of it with a gradient of its own:
/// their sum, in the tree's order, is the piece's gradient.
struct Cut {
    enum class Axis : std::uint8_t { whole, rows, columns };

    Axis axis = Axis::whole;
    std::vector<CutBlock> blocks = {};  ///< of Axis::rows, covering all rows; a rank holds block after block, in each
                                        ///< block leaf after leaf. Columns are cut evenly.
};

/// Neighbouring rows of what a rank holds of a parameter, and where they lie in the whole parameter. A parameter of
/// rank 1 has rows of one column.
struct Segment {
    std::int64_t local_row = 0;
    std::int64_t global_row = 0;
    std::int64_t rows = 0;
    std::int64_t global_column = 0;
    std::int64_t columns = 0;     ///< all that the rank holds
    std::int64_t first_leaf = 0;  ///< global number of the leaf that the rows (or the first columns) belong to
    std::int64_t leaf_count = 1;  ///< more than 1 only where columns are cut, or for a whole parameter: 1
    bool owned = true;  ///< false for copies of what a lower leaf has: every value of a model is owned exactly once
};

/// Rows that each leaf holds of a block, padding included.
std::int64_t rows_per_leaf(const CutBlock& block, std::int64_t leaves);

/// Shape of what a rank holds. The cut fits the number of leaves (see CutBlock). One leaf holds everything, unpadded.
Shape local_shape(const Shape& global, const Cut& cut, const TensorShard& shard);
/// All of what a rank holds, in the order of its rows, one segment per leaf and block (per parameter for columns and
/// whole parameters; a whole parameter is owned by the rank of leaf 0). Padding belongs to no segment. One leaf: one
/// segment.
std::vector<Segment> segments(const Shape& global, const Cut& cut, const TensorShard& shard);

}  // namespace loglog
