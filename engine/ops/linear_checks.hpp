#pragma once

#include "engine/kernels/linear_attention.hpp"
#include "engine/ops/heads.hpp"
#include "engine/ops/linear_options.hpp"

namespace loglog::detail {

/// The sizes of an op of linear attention named `operation`. Throws ShapeError unless q, k and v have as many tokens,
/// whole sequences of them, and heads inside their rows whose numbers divide q's, and InputError for a chunk that is
/// not positive.
LinearAttentionSizes linear_sizes(const char* operation, const Heads& q, const Heads& k, const Heads& v,
                                  const LinearAttentionOptions& options);

/// The same for one token of one sequence whose past is in `state`.
LinearAttentionSizes linear_step_sizes(const char* operation, const Heads& q, const Heads& k, const Heads& v,
                                       const LinearAttentionOptions& options, const Tensor& state);

/// What the kernels are given of q, k, v and the options.
template <class T>
LinearAttentionInputs<T> linear_inputs(const LinearAttentionSizes& sizes, const Heads& q, const Heads& k,
                                       const Heads& v, const LinearAttentionOptions& options) {
    return {.sizes = sizes,
            .q = q.view<const T>(),
            .k = k.view<const T>(),
            .v = v.view<const T>(),
            .scale = options.scale,
            .document_start = options.document_start};
}

}  // namespace loglog::detail
