#pragma once

#include <cstdint>
#include <span>

#include "engine/nn/parameters.hpp"
#include "engine/nn/state_piece.hpp"

namespace loglog {

struct AdamWSettings {
    double beta1 = 0.9;
    double beta2 = 0.95;
    double epsilon = 1e-8;
    double weight_decay = 0.1;
    double clip = 1.0;  ///< bound on the global gradient norm; 0: none
};

/// What one optimizer step saw and did.
struct StepReport {
    double gradient_norm = 0;     ///< before clipping
    double clip_coefficient = 1;  ///< what gradients were multiplied by: min(1, clip / (norm + 1e-6))
    bool applied = true;          ///< false: the norm is not finite and nothing was changed
};

/// Square root of the sum of squares of all gradients here, copies once, in double, added in an order that depends on
/// shapes and the number of leaves alone.
double gradient_norm(Context& context, Parameters& parameters);

/// One AdamW step with clipping by the global norm, on gradients that Parameters::finish_step completed. `step` counts
/// from 1 (bias correction). Each parameter's lr, weight decay and epsilon are multiplied by its own factors.
StepReport adamw_step(Context& context, Parameters& parameters, const AdamWSettings& settings, double lr,
                      std::int64_t step);
/// The same when the norm is known already, such as a norm over shards of other processes.
StepReport adamw_step(Context& context, Parameters& parameters, const AdamWSettings& settings, double lr,
                      std::int64_t step, double norm);
/// The same on those rows alone whose state is given.
StepReport adamw_step(Context& context, const Parameters& parameters, std::span<const StatePiece> pieces,
                      const AdamWSettings& settings, double lr, std::int64_t step, double norm);

}  // namespace loglog
