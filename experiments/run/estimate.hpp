#pragma once

#include <cstdint>

#include "engine/models/decoder_config.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog {

/// What one run costs, counted by running its model on the counting back end: nothing is computed.
struct RunCost {
    ParameterCounts parameters;
    double flops_per_token = 0;     ///< model FLOPs per trained token, forward and backward
    std::int64_t memory_bytes = 0;  ///< values, gradients, moments and the activations of one micro-batch
    std::int64_t micro_batch = 0;   ///< sequences per pass: the spec's, or the one chosen for the cache

    /// Model FLOPs of the whole run, and 6 x non-embedding parameters x tokens, the convention reported beside them.
    double flops(const RunSpec& resolved) const noexcept {
        return flops_per_token * static_cast<double>(resolved.train.tokens);
    }
    double flops_6nd(const RunSpec& resolved) const noexcept {
        return 6.0 * static_cast<double>(parameters.non_embedding()) * static_cast<double>(resolved.train.tokens);
    }
};

/// The engine's description of a resolved spec's model. Throws InputError for an attention kind this build lacks.
DecoderConfig decoder_config(const RunSpec& resolved);

/// Cost of a resolved run. Attention kinds that cannot be trained have no cost: InputError.
RunCost estimate(const RunSpec& resolved);

}  // namespace loglog
