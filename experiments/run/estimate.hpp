#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/models/decoder_config.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog {

/// The engine's description of a resolved spec's model. Throws InputError for an attention kind this build lacks.
DecoderConfig decoder_config(const RunSpec& resolved);

/// What a run costs, counted by running its model on the counting back end.
struct RunCost {
    ParameterCounts parameters;
    double flops_per_token = 0;       ///< model FLOPs, forward and backward
    std::size_t memory_bytes = 0;     ///< values, gradients, moments and a micro-batch's activations
    std::int64_t micro_batch = 0;     ///< sequences per forward and backward pass

    double flops(const RunSpec& resolved) const {
        return flops_per_token * static_cast<double>(resolved.train.tokens);
    }
    /// 6 N D with the non-embedding parameters: the convention, reported beside the exact count.
    double flops_6nd(const RunSpec& resolved) const {
        return 6.0 * static_cast<double>(parameters.non_embedding()) * static_cast<double>(resolved.train.tokens);
    }
};

/// Throws InputError for a model that cannot be built. Milliseconds; nothing is trained or allocated.
RunCost estimate(const RunSpec& resolved);

}  // namespace loglog
