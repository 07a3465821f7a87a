#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "db/registry/run_record.hpp"
#include "engine/data/dataset.hpp"
#include "experiments/run/run_data.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog {

class Communicator;

struct RunProgress {
    std::int64_t step = 0;
    std::int64_t steps = 0;
    double loss = 0;               ///< nats per token, of this step
    double tokens_per_second = 0;  ///< of this step
};

/// What a run gets from the process that trains it.
struct RunContext {
    std::filesystem::path registry;  ///< the run's folder is registry/runs/ID
    std::string id;
    std::string sweep;                                  ///< name of the sweep it belongs to, or empty
    std::string environment;                            ///< JSON text of capture_environment()
    int threads = 1;                                    ///< of this rank
    const Communicator* communicator = nullptr;         ///< the run's ranks, of its layout's number; null: this process
    double peak_flops = 0;                              ///< measured FMA peak of this process on `threads` threads
    const std::atomic<bool>* stop = nullptr;            ///< set from outside: checkpoint and return soon
    std::function<void(const RunProgress&)> on_step{};  ///< called after every step
    double stuck_seconds = 300;                         ///< a rank that waits longer for another ends the job
    double checkpoint_seconds = 30;                     ///< between checkpoints where the spec names no step count
};

/// What the registry knows of a run before it starts, with its exact costs.
RunRecord planned_record(const RunSpec& resolved, const TokenDataset& data, const std::string& id,
                         const std::string& sweep);

/// Trains one run to its end, or on from its last checkpoint, in its own folder: journal line by line, checkpoints,
/// curves on close, weights of a finished run. Returns its record, in state ok, diverged or stopped; what goes wrong
/// otherwise (bad input, full disk) is thrown after the run's folder was closed as failed, if there is one. With
/// several ranks all of them call it; the first one writes the folder, and the others get a record of id, state and
/// reason alone.
RunRecord train_run(const RunSpec& resolved, const TokenDataset& data, const RunContext& context);

}  // namespace loglog
