#include "sweeps/scheduler/coordinator.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace loglog {
namespace {

class Coordinator {
  public:
    Coordinator(std::vector<RunOrder> queue, CoordinatorChannel& channel, SweepObserver& observer,
                const std::function<bool()>& should_stop)
        : queue_{std::move(queue)}, channel_{channel}, observer_{observer}, should_stop_{should_stop} {}

    SweepResult run() {
        constexpr std::chrono::milliseconds tick{50};
        int employed = channel_.workers();
        while (employed > 0) {
            if (!stopping_ && should_stop_()) { stop(); }
            if (const auto arrival = channel_.receive(tick)) {
                current_worker_ = arrival->worker;
                std::visit([&](const auto& message) { handle(message); }, arrival->message);
                employed -= std::exchange(dismissed_, false) ? 1 : 0;
            }
            observer_.on_tick();
        }
        result_.not_started = static_cast<int>(queue_.size() - next_);
        return result_;
    }

  private:
    void handle(const WorkRequest& request) {
        if (request.stop_requested && !stopping_) { stop(); }
        if (stopping_ || next_ == queue_.size()) {
            channel_.send(current_worker_, DismissOrder{});
            dismissed_ = true;
            return;
        }
        const RunOrder& order = queue_[next_];
        running_[current_worker_] = next_++;
        channel_.send(current_worker_, order);
        observer_.on_started(order, current_worker_);
    }

    void handle(const ProgressReport& report) {
        const auto run = running_.find(current_worker_);
        if (run != running_.end()) { observer_.on_progress(queue_[run->second], report.progress); }
    }

    void handle(const RunReport& report) {
        const auto run = running_.find(current_worker_);
        if (run == running_.end()) { return; }
        const RunOrder& order = queue_[run->second];
        running_.erase(run);
        count(report);
        observer_.on_ended(order, report);
        // Nobody asked it to stop: a signal reached that process alone, and means the whole sweep.
        if (report.record.state == RunState::stopped && !report.busy && !stopping_) { stop(); }
    }

    void count(const RunReport& report) {
        if (report.busy) {
            ++result_.busy;
            return;
        }
        switch (report.record.state) {
            case RunState::ok:
                ++result_.ok;
                break;
            case RunState::diverged:
                ++result_.diverged;
                break;
            case RunState::stopped:
                ++result_.stopped;
                break;
            default:
                ++result_.failed;
                break;
        }
    }

    void stop() {
        stopping_ = true;
        for (const auto& [worker, run] : running_) { channel_.send(worker, StopOrder{}); }
    }

    std::vector<RunOrder> queue_;
    CoordinatorChannel& channel_;
    SweepObserver& observer_;
    const std::function<bool()>& should_stop_;
    std::size_t next_ = 0;
    std::map<int, std::size_t> running_;  // worker -> position in the queue
    int current_worker_ = 0;
    bool dismissed_ = false;
    bool stopping_ = false;
    SweepResult result_;
};

}  // namespace

SweepResult coordinate(std::vector<RunOrder> queue, CoordinatorChannel& channel, SweepObserver& observer,
                       const std::function<bool()>& should_stop) {
    return Coordinator{std::move(queue), channel, observer, should_stop}.run();
}

}  // namespace loglog
