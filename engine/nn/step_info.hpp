#pragma once

#include <cstdint>
#include <span>

#include "engine/base/random.hpp"

namespace loglog {

/// Told, in the backward pass, how far it has come: for communication that overlaps with it.
class GradientListener {
  public:
    virtual ~GradientListener() = default;
    /// Everything behind `layer` (its own parameters too) has its gradient of this micro-batch.
    virtual void on_block_backward(std::int64_t layer) = 0;
};

/// Where in a run a micro-batch belongs: what random numbers and losses need to come out the same in every layout.
struct StepInfo {
    Seed seed{};                       ///< of dropout
    std::uint64_t step = 0;            ///< optimizer step
    std::uint64_t first_sequence = 0;  ///< global index, inside the step's batch, of this micro-batch's first sequence
    double gradient_scale = 1;         ///< 1 / tokens with a target in the global batch
    GradientListener* listener = nullptr;  ///< told when a block's parameter gradients are complete
    /// [sequences * time]: the place in its sequence of the first token of each token's document, beyond which nothing
    /// is seen; empty: a sequence is one document.
    std::span<const std::int32_t> document_start = {};
};

}  // namespace loglog
