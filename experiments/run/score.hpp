#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "experiments/run/trained_model.hpp"

namespace loglog {

/// How well a model predicts one text.
struct TextScore {
    std::vector<std::int32_t> tokens;
    std::vector<float> losses;  ///< nats, one a token
    std::size_t bytes = 0;

    double loss() const;  ///< nats per token
    double bits_per_byte() const;
    double perplexity() const;  ///< per token
};

/// Scores every token of `text`, the first one after an end-of-document token. A text longer than the model's context
/// is read in windows that overlap by half, so that each token but the first few sees at least half a context.
/// Throws InputError for an empty text.
TextScore score_text(TrainedModel& trained, Context& context, std::string_view text);

}  // namespace loglog
