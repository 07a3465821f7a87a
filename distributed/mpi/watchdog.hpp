#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "distributed/collectives/operation_log.hpp"
#include "distributed/mpi/communicator.hpp"
#include "distributed/mpi/stuck_ranks.hpp"

namespace loglog {

/// Ends a job that cannot go on, and says why: every rank tells rank 0 about once a second what it does, from a thread
/// that sleeps in between. When a rank waits too long in one operation, or is not heard of for too long, rank 0 prints
/// where all ranks are and ends the job with status 1; ranks that lose rank 0 do so, too.
///
/// A job that is suspended and resumed as a whole is not taken for stuck.
class Watchdog {
  public:
    /// Collective over `run`. `place` says where in the layout this rank is: "dp 0, tp 1, pp 0". `log` must outlive
    /// this.
    Watchdog(const Communicator& run, const OperationLog& log, std::string place, const WatchdogLimits& limits);
    /// Collective: returns once every rank is here. When an exception is on its way, it only stops watching.
    ~Watchdog();
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

  private:
    class Watch;  // what the thread works on

    void keep_watch();
    void guard_watch();

    Communicator comm_;
    const OperationLog& log_;
    std::string place_;
    WatchdogLimits limits_;
    int exceptions_;

    enum class Phase { watching, leaving, stopped };
    std::mutex mutex_;
    std::condition_variable changed_;
    Phase phase_ = Phase::watching;
    std::atomic<std::int64_t> looks_{0};  // of the thread that watches
    std::thread watch_;
    std::thread guard_;
};

}  // namespace loglog
