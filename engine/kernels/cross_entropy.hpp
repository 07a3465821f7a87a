#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/kernels/context.hpp"

namespace loglog {

/// Softmax cross entropy of a block of logits, with the gradient written over the logits.
/// loss[r] = log Z_r - logit_scale * logits[r, target_r] in nats, with Z_r = sum_v exp(logit_scale * logits[r, v]);
/// the objective adds z_loss * (log Z_r)^2 (Chowdhery et al. 2022, PaLM, sec. 5). The gradient of
/// gradient_scale * objective with respect to the unscaled logits replaces `logits`, unless gradient_scale is 0, which
/// means evaluation: the logits' contents are then undefined. A target of -1 is ignored: loss 0, gradient 0.
template <class T>
struct CrossEntropy {
    std::span<T> logits;                    // [rows, vocab]
    std::span<const std::int32_t> targets;  // [rows]
    std::span<T> loss;                      // [rows], without the z-loss
    std::span<T> log_z;                     // [rows]
    std::size_t vocab;
    T logit_scale = 1;  // > 0
    T z_loss = 0;
    T gradient_scale = 1;
    std::span<T> correct =
        {};  // [rows]: 1 where the target is the first of the largest logits, else 0; empty: not wanted
};

template <class T>
Cost cost(const CrossEntropy<T>&);
template <class T>
void run(CpuContext&, const CrossEntropy<T>&);

}  // namespace loglog
