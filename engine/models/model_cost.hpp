#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/context.hpp"
#include "engine/models/decoder_config.hpp"
#include "engine/models/model_part.hpp"
#include "engine/parallel/counting_group.hpp"
#include "engine/tensor/dtype.hpp"

namespace loglog {

/// What training a model costs, from running it on the counting back end: exact, and nothing is computed or touched.
struct ModelCost {
    ParameterCounts parameters;
    std::int64_t tokens = 0;           ///< of the micro-batch that was counted
    Cost forward;                      ///< of a micro-batch's forward pass in an evaluation
    Cost training;                     ///< of a micro-batch's forward and backward passes
    Cost optimizer;                    ///< of one optimizer step
    std::size_t activation_bytes = 0;  ///< the arena's peak while training
    std::size_t evaluation_bytes = 0;  ///< the arena's peak in an evaluation
    std::size_t parameter_bytes = 0;
    std::size_t gradient_bytes = 0;
    std::size_t moment_bytes = 0;
    Traffic tensor_traffic;  ///< of a micro-batch's forward and backward passes in the tensor group

    /// Model FLOPs of training on one token: forward and backward matrix products and token mixing.
    double flops_per_token() const noexcept { return training.model_flops / static_cast<double>(tokens); }
    double forward_flops_per_token() const noexcept { return forward.model_flops / static_cast<double>(tokens); }
    /// Everything a training process holds for the model.
    std::size_t memory_bytes() const noexcept {
        return parameter_bytes + gradient_bytes + moment_bytes + activation_bytes;
    }
};

/// Counts a micro-batch of `sequences` windows of `time` tokens (0: the configuration's context). `config` is resolved
/// first; throws InputError if it is invalid.
ModelCost count_cost(const DecoderConfig& config, std::int64_t sequences = 1, std::int64_t time = 0,
                     DType dtype = DType::float32);
/// The same for what one rank holds; part.tensor.group may be null for a cut model, it is replaced by a counting one.
/// `parameters` are still the whole model's.
ModelCost count_cost(const DecoderConfig& config, const ModelPart& part, std::int64_t sequences, std::int64_t time = 0,
                     DType dtype = DType::float32);

/// Sequences per forward and backward pass when the user gives none: the largest divisor of `batch_sequences` that
/// makes at most 512 token rows, and at least 1. At widths from 64 to 512 that many rows are as fast as any other
/// number (the activations of narrow models stay in cache, weights are still read for enough rows at once) and need the
/// least memory.
std::int64_t choose_micro_batch(const DecoderConfig& config, std::int64_t batch_sequences);

}  // namespace loglog
