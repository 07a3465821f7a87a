#pragma once

#include <cstdint>

#include "engine/parallel/group.hpp"

namespace loglog {

/// Which pieces of a model that is cut along heads, MLP columns and vocabulary (tensor parallelism) lie on this rank.
///
/// Such a model is cut into `leaves` equal pieces, and each rank of the group holds the same number of neighbouring
/// ones. With fast reductions a leaf is a rank; with tree reductions the number of leaves is fixed by the model,
/// whatever the number of ranks. Sums across leaves are then always taken pair by pair of neighbours, level by level,
/// first over the leaves of one rank and then across ranks (lower rank + higher rank): the same tree, so the same bits,
/// for every number of ranks that divides the leaves. A model on one rank with fast reductions has one leaf: nothing is
/// cut.
struct TensorShard {
    std::int64_t leaves = 1;      ///< in all; a power of two unless every rank holds one
    std::int64_t first_leaf = 0;  ///< of this rank
    std::int64_t leaf_count = 1;  ///< on this rank
    /// The ranks that share the model; null when this rank has all leaves. Its sums take ranks in the tree's order
    /// where leaf_count > 1 or tree reductions were asked for.
    Group* group = nullptr;
    /// Between the cut layers, activations are cut by rows (tokens) instead of being held whole by every rank
    /// (Korthikanti et al. 2022, arXiv:2205.05198). Needs group.
    bool sequence_parallel = false;

    bool is_cut() const noexcept { return leaves > 1; }
    std::int64_t ranks() const noexcept { return leaves / leaf_count; }
    std::int64_t rank() const noexcept { return first_leaf / leaf_count; }
};

}  // namespace loglog
