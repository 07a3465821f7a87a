#pragma once

#include "engine/autograd/tape.hpp"
#include "engine/ops/heads.hpp"
#include "engine/ops/linear_options.hpp"

namespace loglog {

/// Gated linear attention: each key channel of the state has a decay of its own.
/// S_t = diag(exp(g_t)) S_{t-1} + k_t v_t^T, out_t = scale q_t^T S_t, causal inside each document.
///
/// q            heads of key_dim channels; k of key_dim and v of value_dim: their number divides q's
/// g            [rows, q.heads * key_dim] natural logarithms of the decays, at most 0
/// returns      [rows, q.heads * value_dim]
///
/// The gradients of q's, k's and v's columns are overwritten; g's is had where it needs one. Throws ShapeError.
/// Yang et al. 2024, Gated Linear Attention, arXiv:2312.06635, sec. 4.
Tensor vector_decay_attention(Tape& tape, const Heads& q, const Heads& k, const Heads& v, const Tensor& g,
                              const LinearAttentionOptions& options);

/// One token of one sequence; `state` [q.heads, key_dim, value_dim] is brought up to date. Not recorded.
Tensor vector_decay_attention_step(Tape& tape, const Heads& q, const Heads& k, const Heads& v, const Tensor& g,
                                   const LinearAttentionOptions& options, const Tensor& state);

}  // namespace loglog
