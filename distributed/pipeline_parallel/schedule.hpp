#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace loglog {

/// gpipe: all forwards, then all backwards (Huang et al. 2019, arXiv:1811.06965). one_f_one_b: Narayanan et al. 2021,
/// arXiv:2104.04473, sec. 2.2.1. interleaved: sec. 2.2.2 there, two chunks of layers a stage. zb_h1: backward split in
/// input and weight gradients (Qi et al. 2024, arXiv:2401.10241, sec. 3).
enum class PipelineSchedule : std::uint8_t { gpipe, one_f_one_b, interleaved, zb_h1 };

enum class PipelineOp : std::uint8_t {
    forward,
    backward,         ///< whole
    backward_input,   ///< zb_h1: what the previous stage waits for
    backward_weight,  ///< zb_h1: the rest
};

/// One thing that a stage does.
struct PipelineStep {
    PipelineOp op;
    int micro_batch;
    int chunk = 0;  ///< of this stage

    bool operator==(const PipelineStep&) const = default;
};

/// Chunks of layers that every stage has under a schedule: 2 for interleaved, else 1.
int chunks_per_stage(PipelineSchedule schedule) noexcept;

/// What `stage` of `stages` does in a training step, in order. Backward passes of a chunk (and weight gradients) come
/// in the order of micro-batches, 0, 1, ..., in every schedule (also in gpipe). Throws InputError for what cannot be
/// scheduled (fewer micro-batches than stages; for interleaved, no multiple of the stages).
std::vector<PipelineStep> steps_of(PipelineSchedule schedule, int stages, int stage, int micro_batches);

/// Most activations, of a micro-batch in a chunk each, that a stage holds at once.
int most_in_flight(PipelineSchedule schedule, int stages, int stage, int micro_batches);

/// Seconds (or any unit) that a stage's step takes.
struct PipelineTimes {
    double forward = 1;
    double backward_input = 1;
    double backward_weight = 1;
    double transfer = 0;  ///< of a micro-batch's activations, or their gradients, to a neighbouring stage
};

struct PipelineTimeline {
    double makespan = 0;
    double bubble = 0;                        ///< idle share of all stages' time
    std::vector<std::vector<double>> starts;  ///< [stage][step]
};

/// Runs the schedule in the mind: when each step of each stage starts, given what each stage's chunk takes
/// (times[stage], for one chunk of it).
PipelineTimeline simulate(PipelineSchedule schedule, int micro_batches, const std::vector<PipelineTimes>& times);

/// The published share of idle time: (p - 1) / (m + p - 1) for gpipe and 1f1b, with interleaved's (p - 1) / v in place
/// of p - 1; zb_h1: (p - 1)(F + B - W) over the whole, for F = B = W.
double formula_bubble(PipelineSchedule schedule, int stages, int micro_batches);

}  // namespace loglog
