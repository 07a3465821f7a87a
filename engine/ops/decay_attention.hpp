#pragma once

#include "engine/autograd/tape.hpp"
#include "engine/ops/heads.hpp"
#include "engine/ops/linear_options.hpp"

namespace loglog {

/// Linear attention whose state decays by a factor per head and token (RetNet, Lightning, Mamba-2's SSD):
/// S_t = exp(g_t) S_{t-1} + k_t v_t^T, out_t = scale q_t^T S_t, causal inside each document.
///
/// q            heads of key_dim channels; k of key_dim and v of value_dim: their number divides q's
/// g            [rows, q.heads] natural logarithms of the decays, at most 0; or [q.heads], the same for all tokens
/// returns      [rows, q.heads * value_dim]
///
/// The gradients of q's, k's and v's columns are overwritten; g's is had where it needs one. Throws ShapeError.
/// Dao and Gu 2024, arXiv:2405.21060, sec. 6.
Tensor decay_attention(Tape& tape, const Heads& q, const Heads& k, const Heads& v, const Tensor& g,
                       const LinearAttentionOptions& options);

/// One token of one sequence; `state` [q.heads, key_dim, value_dim] is brought up to date. Not recorded.
Tensor decay_attention_step(Tape& tape, const Heads& q, const Heads& k, const Heads& v, const Tensor& g,
                            const LinearAttentionOptions& options, const Tensor& state);

}  // namespace loglog
