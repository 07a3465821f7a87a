#pragma once

#include <optional>

#include "engine/autograd/tape.hpp"
#include "engine/kernels/feature_attention.hpp"
#include "engine/ops/heads.hpp"
#include "engine/ops/linear_options.hpp"

namespace loglog {

struct FeatureAttentionOptions : LinearAttentionOptions {
    FeatureMap map = FeatureMap::elu_plus_one;
    /// Added to the normaliser n_i = sum_j phi(q_i) . phi(k_j), or its floor; nothing: not normalised.
    std::optional<double> normalizer_epsilon = 1e-6;
    bool clamp_normalizer = false;  ///< max(n, epsilon) instead of n + epsilon
};

/// Linear attention of a feature map (Katharopoulos et al. 2020, arXiv:2006.16236), causal inside each document:
/// out_i = sum_{j <= i} (phi(q_i) . phi(k_j)) v_j / (n_i + epsilon). options.scale multiplies phi(q).
///
/// q            heads of key_dim channels; k of key_dim and v of value_dim: their number divides q's
/// returns      [rows, q.heads * value_dim]
///
/// The gradients of q's, k's and v's columns are overwritten. Throws ShapeError.
Tensor feature_attention(Tape& tape, const Heads& q, const Heads& k, const Heads& v,
                         const FeatureAttentionOptions& options);

/// One token of one sequence. `state` [q.heads, key_dim, value_dim] and `normalizer` [q.heads, key_dim] (no data where
/// there is none) hold the past and are brought up to date; zeros before the first token. Not recorded.
Tensor feature_attention_step(Tape& tape, const Heads& q, const Heads& k, const Heads& v,
                              const FeatureAttentionOptions& options, const Tensor& state, const Tensor& normalizer);

}  // namespace loglog
