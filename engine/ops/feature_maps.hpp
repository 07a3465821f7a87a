#pragma once

#include <cstdint>
#include <span>

#include "engine/autograd/tape.hpp"
#include "engine/base/random.hpp"
#include "engine/kernels/performer_features.hpp"
#include "engine/ops/heads.hpp"

namespace loglog {

/// Random features whose products estimate exp(q . k / sqrt(head_dim)) without bias (Choromanski et al. 2021,
/// Performer, arXiv:2009.14794): phi(x) = features^-1/2 (exp(w_r . x' - |x'|^2 / 2 - c) + 1e-4) with x' = x
/// head_dim^-1/4. For queries c is the row's largest exponent, which cancels in the normaliser; for keys c is 0 and the
/// exponent is at most 30, as a largest over later keys would let the future leak.
///
/// x            heads of head_dim channels
/// directions   [features, head_dim], from performer_directions, shared by all heads
/// returns      [rows, x.heads * features]
///
/// The gradient of x's columns is overwritten. Throws ShapeError.
Tensor performer_features(Tape& tape, const Heads& x, const Tensor& directions, PerformerSide side);

/// Fills `directions` [features, head_dim]: orthogonal Gaussian blocks whose rows are rescaled to chi(head_dim)
/// lengths, from the counter-based generator keyed by seed and layer. Throws ShapeError.
void performer_directions(const Tensor& directions, Seed seed, std::uint32_t layer);

/// cosFormer's features (Qin et al. 2022, arXiv:2202.08791): relu(x) * [cos(pi i / (2 M)), sin(pi i / (2 M))] with i
/// the token's place in its document and M = `longest`, a constant at least as large as any length.
///
/// x            heads of head_dim channels; row t has place first_position + t mod time minus its document's start
/// returns      [rows, x.heads * 2 * head_dim]
///
/// The gradient of x's columns is overwritten. Throws ShapeError, and InputError where a place is past `longest`.
struct CosformerOptions {
    std::int64_t time = 0;
    std::int64_t head_dim = 0;
    std::int64_t longest = 0;
    std::int64_t first_position = 0;
    /// [rows]: the place in its sequence of the first token of each token's document; empty: one document a sequence.
    /// Must live until the backward pass is over.
    std::span<const std::int32_t> document_start = {};
};
Tensor cosformer_features(Tape& tape, const Heads& x, const CosformerOptions& options);

}  // namespace loglog
