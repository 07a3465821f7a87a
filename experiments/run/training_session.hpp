#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "distributed/data_parallel/gradient_exchange.hpp"
#include "distributed/data_parallel/noise_scale.hpp"
#include "distributed/pipeline_parallel/pipeline_stage.hpp"
#include "distributed/topology/topology.hpp"
#include "engine/kernels/context.hpp"
#include "engine/models/decoder.hpp"
#include "engine/optim/adamw_optimizer.hpp"
#include "engine/optim/schedule.hpp"
#include "experiments/run/evaluation.hpp"
#include "experiments/run/parallel_plan.hpp"
#include "experiments/run/window_source.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog {

/// What every rank of a run knows of a step.
struct StepResult {
    double loss = 0;           ///< nats per target, mean over the batch, before the update
    std::int64_t labels = 0;   ///< targets in the batch: all its tokens, unless the data leaves some out
    double gradient_norm = 0;  ///< before clipping
    double lr = 0;
    bool clipped = false;
    std::optional<double>
        noise_scale;              ///< tokens: the gradient noise scale so far, where small batches can be compared
    bool stop_requested = false;  ///< by any rank
    bool checkpoint_requested = false;  ///< by any rank
};

/// A model in training, or one rank's part of it: its state, and the two things done with it, a step and an evaluation.
/// Knows no files. With several ranks every member function is called by all of them.
///
/// After the first step, a step allocates next to nothing. Losses and parameters are bitwise the same for any number of
/// threads; for any layout within what its reduction promises (docs/numerics.md).
class TrainingSession {
  public:
    static constexpr std::size_t position_buckets = 8;

    /// `spec` is resolved; `topology` fits its layout. Initial values come from spec.train.seed. Throws InputError for
    /// what cannot be trained.
    TrainingSession(const RunSpec& spec, WindowSource train, int threads, Topology topology = Topology{});

    /// One optimizer step on the next spec.train.batch_tokens tokens. What one rank asks for reaches all.
    StepResult step(StepRequests requests = {});
    /// Mean loss of the windows 0 .. count - 1 of `validation`, without dropout. `marked`: [count, context], not 0
    /// where a target's loss is also averaged by itself; empty: none is.
    Evaluation evaluate(const WindowSource& validation, std::uint64_t count, std::span<const std::uint8_t> marked = {});

    std::int64_t steps_done() const noexcept { return steps_done_; }
    /// Goes on after `steps` steps; the caller has restored values and moments.
    void resume_after(std::int64_t steps) noexcept { steps_done_ = steps; }

    Decoder& model() noexcept { return model_; }
    Parameters& parameters() noexcept { return model_.parameters(); }
    const Topology& topology() const noexcept { return topology_; }
    const ParallelPlan& plan() const noexcept { return plan_; }
    /// What this rank saves and loads besides values.
    std::span<const StatePiece> pieces() const noexcept { return exchange_.pieces(); }
    std::int64_t micro_batch() const noexcept { return plan_.micro_batch; }  ///< sequences
    /// Where the last step's time went on this rank.
    const StageTimes& stage_times() const noexcept { return stage_.times(); }
    /// Bytes of values, gradients, moments and the most that activations took so far, on this rank.
    std::size_t memory_bytes() const noexcept;

  private:
    void load(const WindowSource& source, std::uint64_t first_position, std::int64_t sequences);
    std::vector<TokenBatch> micro_batches(std::int64_t sequences) const;
    std::vector<StepInfo> document_infos(std::span<const TokenBatch> batches) const;
    std::int64_t count_labels(std::uint64_t first_position);

    RunSpec spec_;
    WindowSource train_;
    ParallelPlan plan_;
    Topology topology_;
    Decoder model_;
    Context context_;
    PipelineStage stage_;
    GradientExchange exchange_;
    NoiseScale noise_scale_;
    Schedule schedule_;
    AdamWSettings optimizer_;
    std::int64_t sequences_;  // of this rank in a step
    std::int64_t steps_done_ = 0;
    std::vector<std::int32_t> tokens_;          // [sequences, context]
    std::vector<std::int32_t> targets_;         // likewise
    std::vector<std::int32_t> document_start_;  // likewise; empty unless documents are kept apart
};

}  // namespace loglog
