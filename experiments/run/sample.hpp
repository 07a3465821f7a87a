#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/base/random.hpp"
#include "experiments/run/trained_model.hpp"

namespace loglog {

struct SamplingOptions {
    std::int64_t tokens = 200;  ///< at most so many new tokens
    double temperature = 1.0;   ///< 0: always the likeliest token
    std::int64_t top_k = 0;     ///< only the k likeliest; 0: all
    double top_p = 1.0;         ///< only the likeliest that together hold this probability
    Seed seed{1};
};

/// Throws InputError listing what is out of range.
void validate(const SamplingOptions& options);

/// Draws from softmax(logits / temperature) restricted to the top k and the top p; `uniform` in [0, 1) decides.
std::int32_t sample_token(std::span<const float> logits, const SamplingOptions& options, double uniform);

/// Continues `prompt`, calling `emit` for each new token until the options' count or the end of the document. Beyond
/// the model's context it goes on from the last half of a context.
void generate(TrainedModel& trained, Context& context, std::string_view prompt, const SamplingOptions& options,
              const std::function<void(std::int32_t)>& emit);

}  // namespace loglog
