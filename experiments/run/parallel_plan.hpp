#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "distributed/collectives/reduction.hpp"
#include "distributed/pipeline_parallel/schedule.hpp"
#include "distributed/topology/layout.hpp"
#include "engine/models/model_part.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog {

/// How a resolved run is spread over its ranks, with everything that its spec leaves open.
struct ParallelPlan {
    Layout layout;
    Reduction reduction = Reduction::fast;
    PipelineSchedule schedule = PipelineSchedule::one_f_one_b;
    int zero = 0;
    bool sequence_parallel = false;
    std::int64_t leaves = 1;         ///< of tensor parallelism: tp, or with tree reductions what the model allows
    std::int64_t micro_batch = 1;    ///< sequences per pass; the last one of a lone rank may be smaller
    int micro_batches = 1;           ///< passes of each data-parallel rank in a step
    std::vector<LayerRange> pieces;  ///< of the layers: chunk c of stage s is piece c * pp + s
};

/// The layout that a spec states.
Layout layout_of(const RunSpec& resolved);

/// Everything that keeps a resolved run from being spread as its layout says, one sentence each that starts with the
/// key and says what to change; empty if nothing does.
std::vector<std::string> layout_problems(const RunSpec& resolved);

/// Throws InputError listing layout_problems().
ParallelPlan parallel_plan(const RunSpec& resolved);

/// What lies on the rank at `place`, whose tensor group is `tensor` (null: nothing will be sent, only counted).
ModelPart part_of(const ParallelPlan& plan, const Place& place, Group* tensor);

}  // namespace loglog
