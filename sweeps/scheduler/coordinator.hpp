#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/base/error.hpp"
#include "sweeps/scheduler/channel.hpp"

namespace loglog {

/// What the coordinator tells of a sweep while it goes on. Called by the coordinator's thread; must not throw for what
/// the sweep can outlive, such as a registry that cannot be written now.
class SweepObserver {
  public:
    virtual ~SweepObserver() = default;
    virtual void on_started(const RunOrder& run) = 0;
    virtual void on_progress(const RunOrder& run, const RunProgress& progress) = 0;
    /// Also called, without on_started(), for a run that needs more ranks than there are.
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

/// A member of a run failed and the others wait for it, maybe for ever: only the end of the job helps.
class GroupBroken : public Error {
  public:
    using Error::Error;
};

/// Hands out `queue` to workers that ask for work: each run starts as soon as enough workers for its ranks are free,
/// in the queue's order, but ahead of runs that have to wait for more ranks. Returns when every worker was dismissed. A
/// run that fails or diverges does not touch the others; one that needs more ranks than there are fails before anything
/// starts. Once `should_stop` says so, or a worker was stopped by a signal, no run is started any more and those under
/// way are asked to checkpoint.
///
/// A queue whose larger runs come first keeps all workers busy while enough is left, and lets no large run wait for
/// small ones: what a large run waits for is at least as large, and its workers become free together.
///
/// `more`, if there is one, is asked for further runs whenever one has ended; they go behind those that wait. Idle
/// workers stay while a run is under way, since its end may bring work.
///
/// Throws GroupBroken when a member of a run failed and others have not ended `patience` later.
using MoreRuns = std::function<std::vector<RunOrder>()>;
inline constexpr std::chrono::seconds usual_patience{20};
SweepResult coordinate(std::vector<RunOrder> queue, CoordinatorChannel& channel, SweepObserver& observer,
                       const std::function<bool()>& should_stop, std::chrono::milliseconds patience = usual_patience,
                       const MoreRuns& more = {});

}  // namespace loglog
