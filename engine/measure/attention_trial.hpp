#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "engine/kernels/context.hpp"
#include "engine/nn/mixer_config.hpp"

namespace loglog {

/// One sequence of random queries, keys and values.
struct AttentionTrialShape {
    std::int64_t time = 1024;
    std::int64_t heads = 4;
    std::int64_t head_dim = 64;
};

/// Forward and backward passes of one kind of attention by itself, as a model's tape runs them: random q, k, v side by
/// side in one row a token, random gates where the kind has some; no projections, positions, convolutions or norms.
/// `config.pattern` must be given for AttentionKind::pattern. Throws InputError and ShapeError for what a kind refuses.
class AttentionTrial {
  public:
    AttentionTrial(const MixerConfig& config, const AttentionTrialShape& shape, int threads);
    AttentionTrial(const AttentionTrial&) = delete;
    AttentionTrial& operator=(const AttentionTrial&) = delete;
    ~AttentionTrial();

    /// Seconds of one forward and one backward pass. The first call also touches all memory for the first time.
    double seconds();
    /// Of both passes, counted.
    const Cost& cost() const noexcept { return cost_; }
    /// What the passes made so far needed: inputs, results and gradients, what is kept between the passes, the mask's
    /// tables, and the kernels' scratch.
    std::size_t memory_bytes() const;

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
    Cost cost_;
};

}  // namespace loglog
