#pragma once

#include <string>
#include <vector>

#include "sweeps/scheduler/coordinator.hpp"

namespace loglog::testing {

/// Orders "run0", "run1", ... whose spec is the number of steps to take.
inline std::vector<RunOrder> orders(int count, int steps) {
    std::vector<RunOrder> queue;
    for (int i = 0; i < count; ++i) {
        queue.push_back({.id = "run" + std::to_string(i), .sweep = "test", .spec = std::to_string(steps)});
    }
    return queue;
}

/// What the coordinator said, in order.
class Log final : public SweepObserver {
  public:
    void on_started(const RunOrder& run) override {
        started.push_back(run.id);
        workers.push_back(run.members.front());
    }
    void on_progress(const RunOrder&, const RunProgress&) override { ++progress_reports; }
    void on_ended(const RunOrder& run, const RunReport& report) override {
        ended.push_back(run.id);
        reports.push_back(report);
    }
    void on_tick() override {}

    std::vector<std::string> started;
    std::vector<int> workers;
    std::vector<std::string> ended;
    std::vector<RunReport> reports;
    int progress_reports = 0;
};

}  // namespace loglog::testing
