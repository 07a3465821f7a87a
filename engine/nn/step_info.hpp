#pragma once

#include <cstdint>

#include "engine/base/random.hpp"

namespace loglog {

/// Where in a run a micro-batch belongs: what random numbers and losses need to come out the same in every layout.
struct StepInfo {
    Seed seed{};                       ///< of dropout
    std::uint64_t step = 0;            ///< optimizer step
    std::uint64_t first_sequence = 0;  ///< global index, inside the step's batch, of this micro-batch's first sequence
    double gradient_scale = 1;         ///< 1 / tokens with a target in the global batch
};

}  // namespace loglog
