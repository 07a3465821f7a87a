#pragma once

#include <array>
#include <cstdint>

#include "engine/parallel/group.hpp"

namespace loglog {

/// How the output features of a linear layer are cut (column parallel: each leaf has some rows of the weight and makes
/// some columns of the output). The weight's rows are up to six blocks, such as [q | k | v], each of which holds
/// rows_per_leaf rows for each local leaf, leaf after leaf.
///
/// The input is whole on every rank; its gradient is the sum over leaves of what each leaf contributes (block after
/// block inside a leaf), taken as TensorShard says, over `group` where there is one (Megatron's f operator: forward
/// identity, backward all-reduce; Shoeybi et al. 2019, arXiv:1909.08053, sec. 3).
struct ColumnCut {
    std::int64_t leaf_count = 1;  ///< on this rank
    std::array<std::int64_t, 6> rows_per_leaf{};
    std::int64_t blocks = 0;  ///< 0: not cut
    Group* group = nullptr;
};

/// How the input features of a linear layer are cut (row parallel: each leaf has some columns of the weight and of the
/// input). The output is the sum over leaves (Megatron's g operator: forward all-reduce, backward identity).
struct RowCut {
    std::int64_t leaf_count = 1;  ///< on this rank; columns are shared out evenly
    Group* group = nullptr;
    /// The sum is left cut by rows: this rank gets rows [rank * rows / size, ..) (forward reduce-scatter, backward
    /// all-gather).
    bool scatter_rows = false;
};

/// How the vocabulary of an embedding or output table is cut: leaf l of all has rows [l * leaf_rows, (l + 1) *
/// leaf_rows), of which those from `vocab` on are padding (logits of minus infinity).
struct VocabCut {
    std::int64_t vocab = 0;  ///< real tokens; 0: not cut
    std::int64_t leaf_rows = 0;
    std::int64_t first_leaf = 0;  ///< of this rank
    std::int64_t leaf_count = 1;  ///< on this rank
    Group* group = nullptr;
    bool scatter_rows = false;  ///< of an embedding: as in RowCut
    /// Of an output table: its input was gathered from rows that are cut among the ranks, and the gathering op's
    /// backward pass sums over ranks, so this rank's part of the input's gradient is what is wanted.
    bool input_gathered = false;

    std::int64_t first_token() const noexcept { return first_leaf * leaf_rows; }
    std::int64_t local_rows() const noexcept { return leaf_count * leaf_rows; }
    /// Rows of all ranks' tables, padding included.
    std::int64_t padded_vocab() const noexcept { return local_rows() * (group == nullptr ? 1 : group->size()); }
};

}  // namespace loglog
