#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/kernels/context.hpp"
#include "engine/models/decoder.hpp"
#include "engine/optim/adamw_optimizer.hpp"
#include "engine/optim/schedule.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog {

/// Fills `window` (context + 1 tokens) with what is trained at `position` of the data order.
using WindowSource = std::function<void(std::uint64_t position, std::span<std::int32_t> window)>;

struct StepResult {
    double loss = 0;           ///< nats per token, mean over the batch, before the update
    double gradient_norm = 0;  ///< before clipping
    double lr = 0;
    bool clipped = false;
};

struct Evaluation {
    double loss = 0;                       ///< nats per token
    std::vector<double> loss_by_position;  ///< nats per token in equal ranges of the position within the window
};

/// A model in training: its state, and the two things done with it, a step and an evaluation. Knows no files.
///
/// After the first step, a step allocates nothing. Losses and parameters are bitwise the same for any number of
/// threads.
class TrainingSession {
  public:
    static constexpr std::size_t position_buckets = 8;

    /// `spec` is resolved. Initial values come from spec.train.seed. Throws InputError for what cannot be trained.
    TrainingSession(const RunSpec& spec, WindowSource train, int threads);

    /// One optimizer step on the next spec.train.batch_tokens tokens.
    StepResult step();
    /// Mean loss of the windows 0 .. count - 1 of `validation`, without dropout.
    Evaluation evaluate(const WindowSource& validation, std::uint64_t count);

    std::int64_t steps_done() const noexcept { return steps_done_; }
    /// Goes on after `steps` steps; the caller has restored values and moments.
    void resume_after(std::int64_t steps) noexcept { steps_done_ = steps; }

    Parameters& parameters() noexcept { return model_.parameters(); }
    std::int64_t micro_batch() const noexcept { return micro_batch_; }  ///< sequences
    /// Bytes of values, gradients, moments and the most that activations took so far.
    std::size_t memory_bytes() const noexcept;

  private:
    void load(const WindowSource& source, std::uint64_t first_position, std::int64_t sequences);
    TokenBatch batch(std::int64_t sequences) const;

    RunSpec spec_;
    WindowSource train_;
    Decoder model_;
    Context context_;
    Arena activations_;
    Tape training_tape_;
    Tape evaluation_tape_;
    Schedule schedule_;
    AdamWSettings optimizer_;
    std::int64_t sequences_;    // per step
    std::int64_t micro_batch_;  // sequences per pass
    std::int64_t steps_done_ = 0;
    std::vector<std::int32_t> window_;   // [context + 1]
    std::vector<std::int32_t> tokens_;   // [micro_batch, context]
    std::vector<std::int32_t> targets_;  // likewise
};

}  // namespace loglog
