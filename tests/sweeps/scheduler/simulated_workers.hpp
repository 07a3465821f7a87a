#pragma once

#include <algorithm>
#include <map>
#include <queue>
#include <string>
#include <vector>

#include "sweeps/scheduler/coordinator.hpp"
#include "sweeps/scheduler/timeline.hpp"

namespace loglog::testing {

/// Workers that exist in the mind: a run takes the seconds that its spec says, of a clock that only jumps. Members of a
/// run end a little after one another, and ask again a little later. Also writes down who did what when.
class SimulatedWorkers final : public CoordinatorChannel, public SweepObserver {
  public:
    explicit SimulatedWorkers(int workers) : workers_{workers} {
        for (int worker = 0; worker < workers; ++worker) { post(0.001 * worker, worker, WorkRequest{}); }
    }

    const std::vector<TimelineEntry>& timeline() const noexcept { return timeline_; }
    const std::vector<std::string>& started() const noexcept { return started_; }
    const std::vector<RunReport>& reports() const noexcept { return reports_; }
    /// Rank-seconds without a run while a run that would have fitted waited.
    double wasted() const noexcept { return wasted_; }
    int dismissed() const noexcept { return dismissed_; }
    void expect(const std::vector<RunOrder>& queue) {
        for (const RunOrder& order : queue) { waiting_[order.id] = order.ranks; }
    }

    int workers() const override { return workers_; }

    void send(int worker, const CoordinatorMessage& message) override {
        if (std::holds_alternative<DismissOrder>(message)) { ++dismissed_; }
        const auto* order = std::get_if<RunOrder>(&message);
        if (order == nullptr) { return; }
        const auto place = std::find(order->members.begin(), order->members.end(), worker) - order->members.begin();
        const double end = now_ + std::stod(order->spec) + 0.001 * static_cast<double>(place);
        if (place == 0) {
            RunReport report;
            report.record.id = order->id;
            report.record.state = RunState::ok;
            post(end, worker, report);
        } else {
            post(end, worker, MemberDone{});
        }
        post(end + 0.0005, worker, WorkRequest{});
    }

    std::optional<Arrival> receive(std::chrono::milliseconds) override {
        if (events_.empty()) { return std::nullopt; }
        Event event = events_.top();
        events_.pop();
        const auto fits = [&](const auto& run) { return run.second <= free_; };
        if (std::any_of(waiting_.begin(), waiting_.end(), fits)) { wasted_ += free_ * (event.time - now_); }
        now_ = event.time;
        if (std::holds_alternative<WorkRequest>(event.arrival.message)) { ++free_; }
        return std::move(event.arrival);
    }

    void on_started(const RunOrder& run) override {
        started_.push_back(run.id);
        waiting_.erase(run.id);
        free_ -= run.ranks;
        starts_[run.id] = now_;
    }
    void on_progress(const RunOrder&, const RunProgress&) override {}
    void on_ended(const RunOrder& run, const RunReport& report) override {
        waiting_.erase(run.id);
        reports_.push_back(report);
        if (!run.members.empty()) { timeline_.push_back({run.id, run.members, starts_.at(run.id), now_, "ok"}); }
    }
    void on_tick() override {}

  private:
    struct Event {
        double time;
        std::int64_t number;  // of equal times, the first sent comes first
        Arrival arrival;

        bool operator<(const Event& other) const {
            return time != other.time ? time > other.time : number > other.number;
        }
    };

    void post(double time, int worker, WorkerMessage message) {
        events_.push({time, posted_++, {worker, std::move(message)}});
    }

    int workers_;
    double now_ = 0;
    std::int64_t posted_ = 0;
    std::priority_queue<Event> events_;
    std::map<std::string, int> waiting_;  // ranks by run
    std::map<std::string, double> starts_;
    std::vector<TimelineEntry> timeline_;
    std::vector<std::string> started_;
    std::vector<RunReport> reports_;
    double wasted_ = 0;
    int free_ = 0;
    int dismissed_ = 0;
};

}  // namespace loglog::testing
