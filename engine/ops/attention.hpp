#pragma once

#include "engine/autograd/tape.hpp"
#include "engine/ops/heads.hpp"

namespace loglog {

struct AttentionOptions {
    std::int64_t time = 0;  ///< tokens per sequence; rows = sequences * time
    std::int64_t head_dim = 0;
    double scale = 1;  ///< of the scores
    AttentionDropout dropout = {};
};

/// Causal softmax attention inside each sequence: out_i = sum_{j <= i} softmax_j(scale q_i . k_j) v_j.
///
/// q            heads of head_dim channels; k, v: their number divides q's, groups of query heads share them
/// returns      [rows, q.heads * head_dim]; the tape keeps the scores' log sum exp, [rows, q.heads]
///
/// The gradients of q's, k's and v's columns are overwritten. Throws ShapeError.
Tensor attention(Tape& tape, const Heads& q, const Heads& k, const Heads& v, const AttentionOptions& options);

}  // namespace loglog
