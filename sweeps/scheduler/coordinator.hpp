#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sweeps/scheduler/channel.hpp"

namespace loglog {

/// What the coordinator tells of a sweep while it goes on. Called by the coordinator's thread; must not throw for what
/// the sweep can outlive, such as a registry that cannot be written now.
class SweepObserver {
  public:
    virtual ~SweepObserver() = default;
    virtual void on_started(const RunOrder& run, int worker) = 0;
    virtual void on_progress(const RunOrder& run, const RunProgress& progress) = 0;
    virtual void on_ended(const RunOrder& run, const RunReport& report) = 0;
    /// Several times a second.
    virtual void on_tick() = 0;
};

/// How a sweep's runs ended.
struct SweepResult {
    int ok = 0;
    int diverged = 0;
    int failed = 0;
    int stopped = 0;      ///< checkpointed, to be resumed
    int busy = 0;         ///< trained by another process
    int not_started = 0;  ///< left in the queue by a stop
};

/// Hands out `queue`, first to last, to whichever worker asks; returns when every worker was dismissed. A run that
/// fails or diverges does not touch the others. Once `should_stop` says so, or a worker was stopped by a signal, no run
/// is started any more and those under way are asked to checkpoint.
SweepResult coordinate(std::vector<RunOrder> queue, CoordinatorChannel& channel, SweepObserver& observer,
                       const std::function<bool()>& should_stop);

}  // namespace loglog
