#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "apps/loglog/progress_line.hpp"
#include "db/registry/registry.hpp"
#include "sweeps/plan/plan.hpp"
#include "sweeps/scheduler/coordinator.hpp"
#include "sweeps/scheduler/timeline.hpp"

namespace loglog {

/// Keeps the registry, the sweep's timeline and the person at the terminal informed of a sweep. The registry is written
/// in few transactions, not one a run; while it cannot be written the sweep goes on, since the run folders hold
/// everything.
class SweepLedger final : public SweepObserver {
  public:
    /// What the registry holds of a run that starts.
    using DescribeRun = std::function<RunRecord(const PlannedRun&)>;

    /// `queue` is what is left of the plan.
    SweepLedger(Registry registry, const Plan& plan, const std::vector<RunOrder>& queue, TimelineJob job,
                DescribeRun describe);

    /// The plan has grown: by `queue`, which was not known before.
    void extend(const Plan& plan, const std::vector<RunOrder>& queue);
    /// What a run that ended in this job, or left it, was like; null if none did.
    const RunRecord* ended(const std::string& id) const;

    /// Prints a line for the person, clear of the progress bar.
    void say(const std::string& line);

    void on_started(const RunOrder& run) override;
    void on_progress(const RunOrder& run, const RunProgress& progress) override;
    void on_ended(const RunOrder& run, const RunReport& report) override;
    void on_tick() override;

    /// Writes what is still pending. Throws what the registry throws.
    void finish();
    const std::vector<RunRecord>& unsuccessful() const noexcept { return unsuccessful_; }
    /// Of the runs of this job that ended.
    const std::vector<TimelineEntry>& timeline() const noexcept { return timeline_; }

  private:
    struct Running {
        RunProgress progress;
        double predicted_rank_seconds;
        double start;  // seconds since the job began
    };

    void add_to_timeline(const RunOrder& run, const RunReport& report, double start);
    double elapsed() const;

    void write_pending();
    std::string progress_text() const;
    const PlannedRun& planned(const std::string& id) const { return by_id_.at(id); }

    Registry registry_;
    std::map<std::string, PlannedRun> by_id_;
    std::map<std::string, Running> running_;
    DescribeRun describe_;
    std::map<std::string, RunRecord> pending_;
    std::map<std::string, RunRecord> ended_;
    std::vector<RunRecord> unsuccessful_;
    TimelineJob job_;
    std::filesystem::path timeline_file_;
    std::vector<TimelineEntry> timeline_;
    bool timeline_fails_ = false;
    std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point next_write_ = started_;
    std::string last_failure_;
    ProgressLine line_;
    bool terminal_;
    int total_;
    int done_;
    double predicted_left_ = 0;     // rank-seconds of runs in the queue
    double predicted_waiting_ = 0;  // of runs that wait for a learning rate
    double predicted_done_ = 0;     // by this process
};

}  // namespace loglog
