#pragma once

#include <vector>

#include "experiments/run/machine.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog {

/// What one optimizer step of a run is expected to take.
struct LayoutPrediction {
    double step_seconds = 0;
    double bubble = 0;          ///< idle share of the stages' time while micro-batches go through
    double memory_bytes = 0;    ///< of the fullest rank: values, gradients, moments and activations
    double bytes_per_rank = 0;  ///< sent in a step, by the busiest rank

    double compute_seconds = 0;    ///< of the slowest stage, without messages
    double tensor_seconds = 0;     ///< in tensor-parallel sums, of the slowest stage
    double data_seconds = 0;       ///< summing gradients over data-parallel ranks, as far as nothing hides it
    double tied_seconds = 0;       ///< adding up the tied table's gradients of first and last stage
    double optimizer_seconds = 0;  ///< updating weights
};

/// Predicts a step of a resolved run in its layout. What a stage computes, moves, keeps and sends is counted on the
/// counting back end, exactly, from models of one and two layers. A pass takes matrix FLOPs / (peak * share_of_peak) +
/// bytes / memory bandwidth; messages take latency + bytes / bandwidth, collectives being rings whose members on a node
/// share the node's links (a group with k members a node has k links out of it); the schedule is simulated, and
/// gradient sums and optimizer follow it. Throws InputError for layouts that parallel_plan() refuses.
LayoutPrediction predict_layout(const RunSpec& resolved, const Machine& machine);

/// The layouts of 1, 2, 4, ... up to `most_ranks` ranks that a run can have: every dp x tp x pp of powers of two which
/// parallel_plan() accepts; the run's own schedule and options otherwise.
std::vector<LayoutSpec> possible_layouts(const RunSpec& resolved, int most_ranks);

/// The layout of fewest ranks whose predicted memory a rank is at most `rank_memory` bytes, the fastest of these.
/// Throws InputError when none is small enough, saying how far the best is off.
LayoutSpec smallest_layout(const RunSpec& resolved, const Machine& machine, double rank_memory, int most_ranks);

}  // namespace loglog
