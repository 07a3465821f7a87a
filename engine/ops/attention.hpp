#pragma once

#include <cstdint>
#include <span>

#include "engine/autograd/tape.hpp"
#include "engine/kernels/attention_mask.hpp"
#include "engine/ops/heads.hpp"

namespace loglog {

struct AttentionOptions {
    /// Blocks of keys that queries choose: see attention_moba.hpp.
    struct BlockChoice {
        std::int64_t block = 0;
        std::int64_t top_k = 0;  ///< the query's own included; 0: no choice, all is seen
    };

    std::int64_t time = 0;  ///< tokens per sequence; rows = sequences * time
    std::int64_t head_dim = 0;
    double scale = 1;  ///< of the scores
    AttentionDropout dropout = {};
    const AttentionMask* mask = nullptr;  ///< for at least `time` tokens and q's or all heads; must outlive the tape
    /// [rows]: the place in its sequence of the first token of each token's document, whose earlier keys are not seen;
    /// must outlive the tape. Empty: a sequence is one document.
    std::span<const std::int32_t> document_start = {};
    BlockChoice moba = {};  ///< not together with a mask
};

/// Causal softmax attention inside each sequence: out_i = sum_{j <= i} softmax_j(scale q_i . k_j) v_j, over the keys
/// that the mask, the documents and the choice of blocks leave visible; zero where they leave none.
///
/// q            heads of head_dim channels; k, v: their number divides q's, groups of query heads share them
/// returns      [rows, q.heads * head_dim]; the tape keeps the scores' log sum exp, [rows, q.heads], and with moba the
///              chosen blocks, [rows, q.heads, top_k], which count as constants in the backward pass
///
/// The gradients of q's, k's and v's columns are overwritten. Throws ShapeError.
Tensor attention(Tape& tape, const Heads& q, const Heads& k, const Heads& v, const AttentionOptions& options);

/// One token of one sequence, for decoding: puts its k and v in row `position` of the cache and returns what
/// attention() gives at that row, [1, q.heads * head_dim]. Reads of the options head_dim, scale, mask and moba.
///
/// q, k, v          one row each
/// keys, values     [capacity, k.heads, head_dim], with rows [0, position) of earlier calls
///
/// Nothing is recorded. Throws ShapeError.
Tensor attention_step(Tape& tape, const Heads& q, const Heads& k, const Heads& v, const AttentionOptions& options,
                      const Tensor& keys, const Tensor& values, std::int64_t position);

}  // namespace loglog
