#include "sweeps/scheduler/coordinator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "sweeps/scheduler/packing.hpp"

namespace loglog {
namespace {

using Clock = std::chrono::steady_clock;

RunReport too_large(const RunOrder& order, int workers) {
    RunReport report;
    report.record.id = order.id;
    report.record.sweep = order.sweep;
    report.record.spec = order.spec;
    report.record.state = RunState::failed;
    report.record.state_reason = fmt::format(
        "its layout (layout.dp x tp x pp) needs {} ranks, but this job has {}: start the sweep with 'mpirun -n {}' or "
        "more, or give the run a smaller layout",
        order.ranks, workers, order.ranks);
    return report;
}

class Coordinator {
  public:
    Coordinator(std::vector<RunOrder> queue, CoordinatorChannel& channel, SweepObserver& observer,
                const std::function<bool()>& should_stop, std::chrono::milliseconds patience, const MoreRuns& more)
        : channel_{channel}, observer_{observer}, should_stop_{should_stop}, patience_{patience}, more_{more} {
        for (int worker = 0; worker < channel.workers(); ++worker) { employed_.insert(worker); }
        add(std::move(queue));
    }

    SweepResult run() {
        constexpr std::chrono::milliseconds tick{50};
        while (!employed_.empty()) {
            if (!stopping_ && should_stop_()) { stop(); }
            if (const auto arrival = channel_.receive(tick); arrival && employed_.contains(arrival->worker)) {
                std::visit([&](const auto& message) { handle(arrival->worker, message); }, arrival->message);
            }
            check_groups();
            ask_for_more();
            hand_out();
            observer_.on_tick();
        }
        result_.not_started = static_cast<int>(waiting_.size());
        return result_;
    }

  private:
    // A run under way, until all its members asked for work again.
    struct Running {
        RunOrder order;
        std::set<int> working;  // members that have not ended
        std::set<int> away;     // members that have not asked for work again
        std::string failure;    // of the first member that failed
        Clock::time_point changed{};
    };
    using Runs = std::map<std::int64_t, Running>;

    // Behind what waits already. A run that needs more ranks than there are fails at once.
    void add(std::vector<RunOrder> orders) {
        for (RunOrder& order : orders) {
            if (order.ranks > channel_.workers()) {
                ++result_.failed;
                observer_.on_ended(order, too_large(order, channel_.workers()));
                continue;
            }
            largest_ = std::max(largest_, order.ranks);
            waiting_.add(order.ranks);
            queue_.push_back(std::move(order));
        }
    }

    void ask_for_more() {
        if (!more_ || stopping_ || !std::exchange(has_ended_, false)) { return; }
        add(more_());
    }

    void handle(int worker, const WorkRequest& request) {
        if (request.stop_requested && !stopping_) { stop(); }
        if (const auto run = run_of(worker); run != running_.end()) {
            if (run->second.working.contains(worker)) { return; }  // told of a signal while an order was on its way
            run->second.away.erase(worker);
            if (run->second.away.empty()) { running_.erase(run); }
            run_of_.erase(worker);
        }
        free_.insert(worker);
        heard_of_.insert(worker);
    }

    void handle(int worker, const ProgressReport& report) {
        const auto run = run_of(worker);
        if (run != running_.end()) { observer_.on_progress(run->second.order, report.progress); }
    }

    void handle(int worker, const RunReport& report) {
        const auto run = run_of(worker);
        if (run == running_.end()) { return; }
        const bool failed = report.record.state == RunState::failed && !report.busy;
        member_ended(run->second, worker, failed ? report.record.state_reason : "");
        count(report);
        observer_.on_ended(run->second.order, report);
        has_ended_ = true;
        // Nobody asked it to stop: a signal reached that process alone, and means the whole sweep.
        if (report.record.state == RunState::stopped && !report.busy && !stopping_) { stop(); }
    }

    void handle(int worker, const MemberDone& done) {
        const auto run = run_of(worker);
        if (run != running_.end()) { member_ended(run->second, worker, done.failure); }
    }

    void member_ended(Running& run, int worker, const std::string& failure) {
        run.working.erase(worker);
        run.changed = Clock::now();
        if (run.failure.empty() && !failure.empty()) { run.failure = fmt::format("rank {}: {}", worker, failure); }
    }

    Runs::iterator run_of(int worker) {
        const auto run = run_of_.find(worker);
        return run != run_of_.end() ? running_.find(run->second) : running_.end();
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

    void check_groups() const {
        const auto now = Clock::now();
        for (const auto& [number, run] : running_) {
            if (run.failure.empty() || run.working.empty() || now - run.changed < patience_) { continue; }
            throw GroupBroken{
                fmt::format("run {} failed on {}; its other ranks ({} of them) wait for that one, so the "
                            "job ends. The same command goes on with the sweep",
                            run.order.id, run.failure, run.working.size())};
        }
    }

    // Whether some members of a run are free, or nearly so, and the others will be in a moment. Until then nothing is
    // handed out: a small run would take one of the places of the next large run.
    bool group_is_ending() const {
        constexpr std::chrono::seconds moment{2};
        const auto now = Clock::now();
        return std::any_of(running_.begin(), running_.end(), [&](const auto& entry) {
            const Running& run = entry.second;
            return run.order.ranks > 1 && run.working.size() < run.order.members.size() && now - run.changed < moment;
        });
    }

    // Whether workers are still on their way to their first request while runs of several ranks wait: the first to
    // arrive would get the small runs, and the large ones would have to wait for them.
    bool is_assembling() const {
        constexpr std::chrono::seconds moment{5};
        const auto all = static_cast<std::size_t>(channel_.workers());
        return largest_ > 1 && heard_of_.size() < all && Clock::now() - began_ < moment;
    }

    void hand_out() {
        const bool may_come = more_ && !running_.empty();
        if (stopping_ || (waiting_.empty() && !may_come)) {
            for (const int worker : std::exchange(free_, {})) {
                channel_.send(worker, DismissOrder{});
                employed_.erase(worker);
            }
            return;
        }
        if (is_assembling() || group_is_ending()) { return; }
        while (const auto position = waiting_.take(static_cast<int>(free_.size()))) { start(queue_[*position]); }
    }

    void start(RunOrder order) {
        order.number = ++started_;
        order.members = nearest_ranks(free_, order.ranks);
        const std::set<int> members(order.members.begin(), order.members.end());
        for (const int worker : order.members) {
            free_.erase(worker);
            run_of_[worker] = order.number;
            channel_.send(worker, order);
        }
        observer_.on_started(order);
        running_.emplace(order.number,
                         Running{.order = std::move(order), .working = members, .away = members, .failure = {}});
    }

    void stop() {
        stopping_ = true;
        for (const auto& [number, run] : running_) {
            for (const int worker : run.working) { channel_.send(worker, StopOrder{}); }
        }
    }

    CoordinatorChannel& channel_;
    SweepObserver& observer_;
    const std::function<bool()>& should_stop_;
    std::chrono::milliseconds patience_;
    const MoreRuns& more_;
    SweepResult result_;
    std::vector<RunOrder> queue_;  // what ever waited
    WaitingRuns waiting_{{}};
    bool has_ended_ = false;  // a run, since more were asked for
    int largest_ = 1;         // ranks of a run in the queue
    Clock::time_point began_ = Clock::now();
    std::set<int> employed_;
    std::set<int> heard_of_;
    std::set<int> free_;
    Runs running_;                        // by order number
    std::map<int, std::int64_t> run_of_;  // worker -> order number
    std::int64_t started_ = 0;
    bool stopping_ = false;
};

}  // namespace

SweepResult coordinate(std::vector<RunOrder> queue, CoordinatorChannel& channel, SweepObserver& observer,
                       const std::function<bool()>& should_stop, std::chrono::milliseconds patience,
                       const MoreRuns& more) {
    return Coordinator{std::move(queue), channel, observer, should_stop, patience, more}.run();
}

}  // namespace loglog
