#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

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
/// The run that the worker leads ended: record.state says how.
struct RunReport {
    RunRecord record;
    bool busy = false;  ///< another process trains this run: it was left alone, and `record` holds only its id
};
/// "I am done with the run that another worker leads."
struct MemberDone {
    std::string failure;  ///< why it failed here; empty if it did not
};
using WorkerMessage = std::variant<WorkRequest, ProgressReport, RunReport, MemberDone>;

// From the coordinator to a worker.

/// "Train this run, together with the other members." Every member gets the same order.
struct RunOrder {
    std::string id;
    std::string sweep;
    std::string spec;            ///< resolved, JSON
    int ranks = 1;               ///< that the spec's layout needs
    std::int64_t number = 0;     ///< of this order in the job, from 1; 0 in a queue
    std::vector<int> members{};  ///< workers, ascending; the first leads and reports. Empty in a queue
};
/// "Checkpoint what you train, report it and ask again." Sent to every member of a run.
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
