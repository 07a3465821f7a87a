#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "distributed/mpi/communicator.hpp"
#include "distributed/topology/layout.hpp"
#include "experiments/run/training_session.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog {

/// The first steps of a run under one layout.
struct LayoutTrial {
    Layout layout;
    std::vector<double> losses;          ///< by step, nats per token
    std::vector<double> gradient_norms;  ///< by step, before clipping
    double norm_factor = 10;     ///< gradient norms may differ by so many times as much as losses: see compare()
    std::string parameter_hash;  ///< XXH64 of all parameters after the last step, as one process would hold them
    double step_seconds = 0;     ///< median over the steps, the first one left out; of the slowest rank
    double waiting_seconds = 0;  ///< of a step, in communication, likewise; of the rank that waits most
    double bubble = 0;           ///< share of all stages' time spent waiting for other stages, likewise
    double formula_bubble = 0;   ///< what the schedule promises where all passes take equally long
    double bytes_per_rank = 0;   ///< sent in a step, by the rank that sends most
    double memory_bytes = 0;     ///< of the rank that needs most
};

/// Trains `steps` steps of a resolved run as its layout says. `group` has the layout's ranks; null: one process. Every
/// rank gets the same result.
LayoutTrial try_layout(const RunSpec& resolved, const WindowSource& train, int steps, int threads,
                       const Communicator* group);

/// How far a layout's steps are from another's, and how far they may be.
struct LayoutDifference {
    double loss = 0;           ///< relative, the worst over the steps
    double gradient_norm = 0;  ///< likewise
    bool same_parameters = true;
    bool within_promise = true;
};

/// With tree reductions nothing may differ. With fast ones, losses may differ by 1e-5 at the first step, by 1e-4 up to
/// the tenth and in proportion to the steps from there; gradient norms by ten times as much. With linear attention
/// norms may differ by a thousand times as much: RMSNorm scales its outputs up, where a query and a key happen to be
/// nearly orthogonal by up to the root of 1 / epsilon, 1e3, and the gradients of such places with them.
LayoutDifference compare(const LayoutTrial& reference, const LayoutTrial& trial, Reduction reduction);

/// The largest micro-batch, in sequences, that all layouts can be trained with and that suits the cache: sums over a
/// micro-batch's tokens are then the same everywhere. Throws InputError naming the layouts for which there is none.
std::int64_t common_micro_batch(const RunSpec& resolved, std::span<const Layout> layouts);

/// The run under another layout.
RunSpec with_layout(RunSpec spec, const Layout& layout);

/// XXH64 of the parameters' float32 bytes, whole and in model order, in hexadecimal. Collective over the session's run;
/// all ranks get it.
std::string parameter_hash(TrainingSession& session);

}  // namespace loglog
