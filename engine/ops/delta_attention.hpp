#pragma once

#include "engine/autograd/tape.hpp"
#include "engine/ops/heads.hpp"
#include "engine/ops/linear_options.hpp"

namespace loglog {

/// Attention by the (gated) delta rule (DeltaNet, Gated DeltaNet): what the state predicts for a key is replaced, by a
/// share beta, instead of added to. With q and k scaled to unit length per head (x / sqrt(|x|^2 + 1e-6)):
/// S' = exp(g_t) S_{t-1}; u_t = beta_t (v_t - S'^T k_t); S_t = S' + k_t u_t^T; out_t = scale S_t^T q_t.
///
/// q            heads of key_dim channels, raw; k of key_dim and v of value_dim: their number divides q's
/// beta         [rows, q.heads] in [0, 2]
/// g            [rows, q.heads] natural logarithms of the decays, at most 0; no data: none decays
/// returns      [rows, q.heads * value_dim]
///
/// The gradients of q's, k's and v's columns are overwritten; beta's and g's are had where they need one. Throws
/// ShapeError. Yang et al. 2024, arXiv:2406.06484 and arXiv:2412.06464, sec. 3.
Tensor delta_attention(Tape& tape, const Heads& q, const Heads& k, const Heads& v, const Tensor& beta, const Tensor& g,
                       const LinearAttentionOptions& options);

/// One token of one sequence; `state` [q.heads, key_dim, value_dim] is brought up to date. Not recorded.
Tensor delta_attention_step(Tape& tape, const Heads& q, const Heads& k, const Heads& v, const Tensor& beta,
                            const Tensor& g, const LinearAttentionOptions& options, const Tensor& state);

}  // namespace loglog
