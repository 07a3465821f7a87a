#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "db/registry/run_record.hpp"
#include "experiments/run/trainer.hpp"

namespace loglog {

// From a worker to the coordinator.

/// "I am free." `stop_requested`: this process was asked to stop by a signal.
struct WorkRequest {
    bool stop_requested = false;
};
/// How far the worker's run is; sent now and then.
struct ProgressReport {
    RunProgress progress;
};
/// The worker's run ended: record.state says how.
struct RunReport {
    RunRecord record;
    bool busy = false;  ///< another process trains this run: it was left alone, and `record` holds only its id
};
using WorkerMessage = std::variant<WorkRequest, ProgressReport, RunReport>;

// From the coordinator to a worker.

/// "Train this run."
struct RunOrder {
    std::string id;
    std::string sweep;
    std::string spec;  ///< resolved, JSON
};
/// "Checkpoint what you train, report it and ask again."
struct StopOrder {};
/// "Nothing is left for you."
struct DismissOrder {};
using CoordinatorMessage = std::variant<RunOrder, StopOrder, DismissOrder>;

/// The forms in which messages travel between processes. Decoding throws Error for text that is no such message.
std::string encode(const WorkerMessage& message);
std::string encode(const CoordinatorMessage& message);
WorkerMessage decode_worker_message(std::string_view text);
CoordinatorMessage decode_coordinator_message(std::string_view text);

}  // namespace loglog
