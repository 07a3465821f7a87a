#pragma once

#include <atomic>
#include <functional>

#include "sweeps/scheduler/channel.hpp"

namespace loglog {

/// Trains one run, together with the order's other members: calls `on_step` after every step and returns soon after
/// `stop` was set on any member, with a checkpoint. What it throws becomes a report of a failed run. Only the leader's
/// report is used.
using ExecuteRun = std::function<RunReport(
    const RunOrder& order, const std::function<void(const RunProgress&)>& on_step, const std::atomic<bool>& stop)>;

/// Asks the coordinator for runs and trains them, one after the other, until it is dismissed. Leads the runs whose
/// first member it is: reports their progress and end. `signalled` is set when this process is asked to stop.
void work(WorkerChannel& channel, const ExecuteRun& execute, const std::atomic<bool>& signalled);

}  // namespace loglog
