#include "sweeps/scheduler/worker.hpp"

#include <chrono>
#include <exception>
#include <utility>

namespace loglog {
namespace {

using Clock = std::chrono::steady_clock;

// What happens between the steps of one run: progress goes out, a stop order comes in.
class StepWatch {
  public:
    StepWatch(WorkerChannel& channel, const std::atomic<bool>& signalled, bool leads)
        : channel_{channel}, signalled_{signalled}, leads_{leads}, stop_{signalled.load()} {}

    void operator()(const RunProgress& progress) {
        if (signalled_) { stop_ = true; }
        const auto now = Clock::now();
        if (now >= next_look_) {
            const auto message = channel_.receive(std::chrono::milliseconds{0});
            if (message && std::holds_alternative<StopOrder>(*message)) { stop_ = true; }
            next_look_ = now + std::chrono::milliseconds{20};
        }
        if (leads_ && now >= next_report_) {
            channel_.send(ProgressReport{progress});
            next_report_ = now + std::chrono::milliseconds{250};
        }
    }

    const std::atomic<bool>& stop() const noexcept { return stop_; }

  private:
    WorkerChannel& channel_;
    const std::atomic<bool>& signalled_;
    bool leads_;
    std::atomic<bool> stop_;
    Clock::time_point next_look_{};
    Clock::time_point next_report_ = Clock::now() + std::chrono::milliseconds{50};
};

RunReport report_of(const RunOrder& order, const ExecuteRun& execute, StepWatch& watch) {
    try {
        return execute(
            order, [&](const RunProgress& progress) { watch(progress); }, watch.stop());
    } catch (const std::exception& error) {
        RunReport report;
        report.record.id = order.id;
        report.record.sweep = order.sweep;
        report.record.spec = order.spec;
        report.record.state = RunState::failed;
        report.record.state_reason = error.what();
        return report;
    }
}

// Asks for work and waits for it; nothing means "dismissed".
std::optional<RunOrder> next_order(WorkerChannel& channel, const std::atomic<bool>& signalled) {
    constexpr std::chrono::milliseconds wait{200};
    bool told = signalled;
    channel.send(WorkRequest{told});
    while (true) {
        const auto message = channel.receive(wait);
        if (!message) {
            // A worker may wait long, while the runs that are left need more ranks than are free.
            if (signalled && !std::exchange(told, true)) { channel.send(WorkRequest{true}); }
            continue;
        }
        if (const auto* order = std::get_if<RunOrder>(&*message)) { return *order; }
        if (std::holds_alternative<DismissOrder>(*message)) { return std::nullopt; }
        // A stop order that crossed the report of the run it was meant for means nothing any more.
    }
}

}  // namespace

void work(WorkerChannel& channel, const ExecuteRun& execute, const std::atomic<bool>& signalled) {
    while (const auto order = next_order(channel, signalled)) {
        const bool leads = order->members.empty() || order->members.front() == channel.number();
        StepWatch watch{channel, signalled, leads};
        RunReport report = report_of(*order, execute, watch);
        if (leads) {
            channel.send(std::move(report));
        } else {
            const bool failed = report.record.state == RunState::failed && !report.busy;
            channel.send(MemberDone{failed ? report.record.state_reason : std::string{}});
        }
    }
}

}  // namespace loglog
