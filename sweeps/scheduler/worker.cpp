#include "sweeps/scheduler/worker.hpp"

#include <chrono>
#include <exception>

namespace loglog {
namespace {

using Clock = std::chrono::steady_clock;

// What happens between the steps of one run: progress goes out, a stop order comes in.
class StepWatch {
  public:
    StepWatch(WorkerChannel& channel, const std::atomic<bool>& signalled)
        : channel_{channel}, signalled_{signalled}, stop_{signalled.load()} {}

    void operator()(const RunProgress& progress) {
        if (signalled_) { stop_ = true; }
        const auto now = Clock::now();
        if (now >= next_look_) {
            const auto message = channel_.receive(std::chrono::milliseconds{0});
            if (message && std::holds_alternative<StopOrder>(*message)) { stop_ = true; }
            next_look_ = now + std::chrono::milliseconds{20};
        }
        if (now >= next_report_) {
            channel_.send(ProgressReport{progress});
            next_report_ = now + std::chrono::milliseconds{250};
        }
    }

    const std::atomic<bool>& stop() const noexcept { return stop_; }

  private:
    WorkerChannel& channel_;
    const std::atomic<bool>& signalled_;
    std::atomic<bool> stop_;
    Clock::time_point next_look_{};
    Clock::time_point next_report_ = Clock::now() + std::chrono::milliseconds{50};
};

RunReport report_of(const RunOrder& order, WorkerChannel& channel, const ExecuteRun& execute,
                    const std::atomic<bool>& signalled) {
    StepWatch watch{channel, signalled};
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

}  // namespace

void work(WorkerChannel& channel, const ExecuteRun& execute, const std::atomic<bool>& signalled) {
    constexpr std::chrono::milliseconds wait{200};
    while (true) {
        channel.send(WorkRequest{signalled});
        std::optional<CoordinatorMessage> message;
        // A stop order that crossed the report of the run it was meant for means nothing any more.
        do { message = channel.receive(wait); } while (!message || std::holds_alternative<StopOrder>(*message));
        if (std::holds_alternative<DismissOrder>(*message)) { return; }
        channel.send(report_of(std::get<RunOrder>(*message), channel, execute, signalled));
    }
}

}  // namespace loglog
