#pragma once

#include "engine/autograd/tape.hpp"
#include "engine/ops/leaf_cut.hpp"

namespace loglog {

struct EmbeddingOptions {
    std::int64_t time = 0;  ///< tokens per sequence
    double scale = 1;
    std::int64_t first_position = 0;
    VocabCut cut = {};  ///< of the token table
};

/// y[t] = scale * (token_table[tokens[t]] + position_table[first_position + t mod time]).
///
/// tokens          [rows], each in [0, vocab); must outlive the backward pass
/// token_table     [vocab, width], or [cut.local_rows(), width]
/// position_table  [positions, width] or without data
/// returns         [rows, width], or [rows / ranks, width] with cut.scatter_rows
///
/// Where the table is cut among ranks, token_table is this rank's rows, exactly one rank contributes to each row of y
/// and the others add minus zeros, so that the sum is exact in any order, to the bit. With cut.scatter_rows the
/// gradient of position_table is that of this rank's rows of y only.
Tensor embedding(Tape& tape, std::span<const std::int32_t> tokens, const Tensor& token_table,
                 const Tensor& position_table, const EmbeddingOptions& options);

}  // namespace loglog
