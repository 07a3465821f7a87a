#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "distributed/pipeline_parallel/schedule.hpp"
#include "engine/kernels/context.hpp"
#include "engine/models/decoder.hpp"
#include "engine/parallel/group.hpp"

namespace loglog {

/// One micro-batch's loss, known on the last stage (zeros elsewhere).
struct MicroBatchLoss {
    double sum = 0;    ///< nats
    double z_sum = 0;  ///< of (log Z)^2
};

/// Where a step's time went on this stage.
struct StageTimes {
    double total = 0;    ///< seconds, first instruction to last
    double waiting = 0;  ///< seconds for other stages' activations and gradients
};

/// This rank's part of a pipeline: runs the schedule's steps on its chunks of the model, exchanging activations and
/// gradients with its neighbours. One stage alone is a pipeline too, without messages.
class PipelineStage {
  public:
    /// Called after each backward step of a chunk, in the order of micro-batches per kind of step. After a whole
    /// backward pass, or after the delayed weight gradients, the chunk's gradients of the micro-batch are complete;
    /// after backward_input those that were not delayed are (of norms and of the head), and nothing of the next
    /// micro-batch has been added to them yet.
    using AfterMicroBatch = std::function<void(int chunk, int micro_batch, PipelineOp step)>;

    /// `model` holds the chunks that its ModelPart names, as many as the schedule has (one stage may have a single
    /// chunk, the whole model, under any schedule), and lives as long as the stage does. `pipeline`: the stages. Throws
    /// Error when the model's part is not that of this stage.
    PipelineStage(Context& context, Decoder& model, Group& pipeline, PipelineSchedule schedule);
    ~PipelineStage();

    /// Forward and backward passes of all micro-batches, each of the same shape. `infos` says where each belongs.
    /// Parameter gradients are added up in Parameters in the order of micro-batches (begin_step() is the caller's).
    /// Collective over the pipeline; throws InputError on all stages for a number that the schedule cannot run.
    std::vector<MicroBatchLoss> train(std::span<const TokenBatch> micro_batches, std::span<const StepInfo> infos,
                                      const AfterMicroBatch& after);

    /// What the last stage has of a micro-batch without gradients, [sequences * time] each.
    struct Outcome {
        std::span<const float> losses;
        std::span<const float> correct;  ///< see HeadLoss
    };
    /// Forward passes alone; `use` gets each micro-batch's outcome on the last stage. Collective over the pipeline.
    void evaluate(std::span<const TokenBatch> micro_batches, std::span<const StepInfo> infos,
                  const std::function<void(std::size_t micro_batch, const Outcome& outcome)>& use);

    const StageTimes& times() const noexcept { return times_; }  ///< of the last train()
    std::size_t activation_bytes() const noexcept;               ///< the most held so far, without messages

  private:
    struct Work;
    std::unique_ptr<Work> work_;
    StageTimes times_;
};

}  // namespace loglog
