#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "distributed/pipeline_parallel/schedule.hpp"
#include "distributed/topology/topology.hpp"
#include "engine/models/decoder.hpp"
#include "engine/nn/state_piece.hpp"
#include "engine/optim/adamw_optimizer.hpp"

namespace loglog {

struct ExchangeOptions {
    int zero = 0;           ///< 1: each data-parallel rank keeps the moments of its share alone (ZeRO stage 1)
    int micro_batches = 1;  ///< of this rank in a step
    bool noise_scale = true;
};

/// What a rank asks of all ranks of its run; one that asks is enough.
struct StepRequests {
    bool stop = false;
    bool checkpoint = false;
};

/// What every rank of a run knows of a step, the same bits everywhere.
struct StepTotals {
    double loss_sum = 0;         ///< nats, over the global batch
    double gradient_norm = 0;    ///< before clipping, every parameter once
    StepRequests requests = {};  ///< of any rank
    /// Squared norms for the gradient noise scale (McCandlish et al. 2018, arXiv:1812.06162, appendix A): mean over the
    /// small batches, and of the whole batch. Both 0 where there is only one small batch. Small batches are those of
    /// data-parallel ranks, or with tree reductions micro-batches. The two uses of a tied table count as two parameters
    /// here, and parameters whose gradient is not complete before sums over tensor-parallel ranks not at all.
    double small_batch_square = 0;
    double large_batch_square = 0;
    double small_batches = 1;  ///< how many make the global batch
};

/// Turns the gradients that one rank's backward passes left into the global batch's, and updates the parameters: data
/// parallel sums in buckets that start while the backward pass goes on, sums over copies of what tensor-parallel leaves
/// share, the tied table's exchange between the ends of a pipeline, the global norm, AdamW on the rank's own share.
///
/// A step: begin_step(); the pipeline's train() with `listener()` and after_micro_batch(); finish(); update().
class GradientExchange {
  public:
    /// All three outlive the exchange. Throws InputError for values that are not float32, for sharded moments of a
    /// model that keeps its own, and for tree reductions over several data-parallel ranks unless micro_batches is a
    /// power of two.
    GradientExchange(Context& context, Decoder& model, const Topology& topology, const ExchangeOptions& options);
    ~GradientExchange();

    void begin_step();
    /// For StepInfo::listener of this rank's last micro-batch; null where nothing can be sent early.
    GradientListener* listener() noexcept;
    /// When a chunk's gradients of a micro-batch are complete, and before any of the next one.
    /// For PipelineStage::AfterMicroBatch.
    void after_micro_batch(int chunk, int micro_batch, PipelineOp step = PipelineOp::backward);
    /// Collective over the run. `losses`: of this rank's micro-batches (zeros but on the last stage). Afterwards the
    /// gradients of pieces() are the global batch's; those of other ranks' shares are undefined.
    StepTotals finish(std::span<const double> losses, StepRequests requests);
    /// One AdamW step, skipped on all ranks alike when the norm is not finite.
    StepReport update(const AdamWSettings& settings, double lr, std::int64_t step, double gradient_norm);

    /// What this rank updates and keeps moments of.
    std::span<const StatePiece> pieces() const noexcept;
    std::size_t memory_bytes() const noexcept;  ///< moments, wherever they lie, and buffers

  private:
    struct Work;
    std::unique_ptr<Work> work_;
};

}  // namespace loglog
