#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <stdexcept>
#include <thread>

#include "engine/base/error.hpp"
#include "sweeps/scheduler/local_channel.hpp"
#include "sweeps/scheduler/worker.hpp"
#include "tests/sweeps/scheduler/fake_runs.hpp"
#include "tests/sweeps/scheduler/simulated_workers.hpp"

namespace loglog {
namespace {

using ::testing::ElementsAre;
using testing::Log;
using testing::orders;
using testing::SimulatedWorkers;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

RunReport finished(const RunOrder& order, RunState state = RunState::ok) {
    RunReport report;
    report.record.id = order.id;
    report.record.state = state;
    return report;
}

// Takes the order's number of steps of a millisecond each, and stops when told to.
RunReport take_steps(const RunOrder& order, const std::function<void(const RunProgress&)>& on_step,
                     const std::atomic<bool>& stop) {
    const int steps = std::stoi(order.spec);
    for (int step = 1; step <= steps; ++step) {
        if (stop) { return finished(order, RunState::stopped); }
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
        on_step({step, steps, 1.0, 10.0});
    }
    return finished(order);
}

struct Outcome {
    SweepResult result;
    Log log;
};

// Runs a sweep with `workers` workers, each in a thread.
Outcome run(std::vector<RunOrder> queue, int workers, const ExecuteRun& execute,
            const std::function<bool()>& should_stop, const std::atomic<bool>& signalled) {
    LocalChannels channels{workers};
    std::vector<std::thread> threads;
    for (int i = 0; i < workers; ++i) {
        threads.emplace_back([&channels, &execute, &signalled, i] { work(channels.worker(i), execute, signalled); });
    }
    Outcome outcome;
    outcome.result = coordinate(std::move(queue), channels.coordinator(), outcome.log, should_stop);
    for (std::thread& thread : threads) { thread.join(); }
    return outcome;
}

Outcome run(std::vector<RunOrder> queue, int workers, const ExecuteRun& execute) {
    const std::atomic<bool> never{false};
    return run(
        std::move(queue), workers, execute, [] { return false; }, never);
}

TEST(Scheduler, TrainsEveryRunOnceInTheQueuesOrder) {
    for (const int workers : {1, 2, 5}) {
        const Outcome outcome = run(orders(9, 3), workers, take_steps);

        EXPECT_THAT(outcome.log.started,
                    ElementsAre("run0", "run1", "run2", "run3", "run4", "run5", "run6", "run7", "run8"));
        EXPECT_EQ(outcome.result.ok, 9);
        EXPECT_EQ(std::set<std::string>(outcome.log.ended.begin(), outcome.log.ended.end()).size(), 9u);
    }
}

TEST(Scheduler, AsksForMoreWheneverARunHasEnded) {
    LocalChannels channels{2};
    std::vector<std::thread> threads;
    const std::atomic<bool> never{false};
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&channels, &never, i] { work(channels.worker(i), take_steps, never); });
    }
    Log log;
    std::vector<std::size_t> ended_when_asked;
    const auto more = [&]() -> std::vector<RunOrder> {
        ended_when_asked.push_back(log.ended.size());
        if (log.ended.size() == 3) { return {{.id = "late", .sweep = "test", .spec = "3"}}; }
        if (log.ended.size() == 4) { return {{.id = "large", .sweep = "test", .spec = "3", .ranks = 9}}; }
        return {};
    };

    const SweepResult result = coordinate(
        orders(3, 3), channels.coordinator(), log, [] { return false; }, usual_patience, more);
    for (std::thread& thread : threads) { thread.join(); }

    EXPECT_THAT(log.started, ElementsAre("run0", "run1", "run2", "late"));
    EXPECT_EQ(result.ok, 4);
    EXPECT_EQ(result.failed, 1) << "the one that needs more workers than there are";
    EXPECT_TRUE(std::is_sorted(ended_when_asked.begin(), ended_when_asked.end()));
    EXPECT_EQ(ended_when_asked.back(), 4u);
}

TEST(Scheduler, AsksForNothingMoreOnceItIsToStop) {
    SimulatedWorkers workers{1};
    int asked = 0;
    const auto more = [&]() -> std::vector<RunOrder> {
        ++asked;
        return {{.id = "late", .sweep = "test", .spec = "3"}};
    };

    const SweepResult result = coordinate(
        orders(1, 3), workers, workers, [&] { return !workers.reports().empty(); }, usual_patience, more);

    EXPECT_LE(asked, 1);
    EXPECT_EQ(result.ok, 1);
}

TEST(Scheduler, UsesEveryWorker) {
    const Outcome outcome = run(orders(12, 20), 3, take_steps);

    EXPECT_THAT((std::set<int>(outcome.log.workers.begin(), outcome.log.workers.end())), UnorderedElementsAre(0, 1, 2));
}

TEST(Scheduler, DismissesEveryoneWhenThereIsNothingToDo) { EXPECT_EQ(run({}, 3, take_steps).result.ok, 0); }

TEST(Scheduler, FailuresLeaveTheOtherRunsAlone) {
    const auto execute = [](const RunOrder& order, const auto& on_step, const std::atomic<bool>& stop) {
        if (order.id == "run1") { throw std::runtime_error{"disk full"}; }
        if (order.id == "run2") { return finished(order, RunState::diverged); }
        return take_steps(order, on_step, stop);
    };

    const Outcome outcome = run(orders(5, 2), 2, execute);

    EXPECT_EQ(outcome.result.ok, 3);
    EXPECT_EQ(outcome.result.failed, 1);
    EXPECT_EQ(outcome.result.diverged, 1);
    const auto failed = std::find_if(outcome.log.reports.begin(), outcome.log.reports.end(),
                                     [](const RunReport& report) { return report.record.state == RunState::failed; });
    ASSERT_NE(failed, outcome.log.reports.end());
    EXPECT_EQ(failed->record.id, "run1");
    EXPECT_EQ(failed->record.state_reason, "disk full");
    EXPECT_EQ(failed->record.spec, "2");
}

TEST(Scheduler, CountsRunsOfOtherProcesses) {
    const auto execute = [](const RunOrder& order, const auto&, const std::atomic<bool>&) {
        RunReport report = finished(order, RunState::planned);
        report.busy = true;
        return report;
    };

    const SweepResult result = run(orders(2, 1), 2, execute).result;

    EXPECT_EQ(result.busy, 2);
    EXPECT_EQ(result.failed, 0);
}

TEST(Scheduler, AStopCheckpointsWhatRunsAndStartsNothingMore) {
    const std::atomic<bool> never{false};
    const auto begin = std::chrono::steady_clock::now();
    const auto after_a_while = [begin] {
        return std::chrono::steady_clock::now() - begin > std::chrono::milliseconds{150};
    };

    const Outcome outcome = run(orders(8, 60'000), 2, take_steps, after_a_while, never);

    EXPECT_EQ(outcome.result.stopped, 2);
    EXPECT_EQ(outcome.result.not_started, 6);
    EXPECT_THAT(outcome.log.started, SizeIs(2));
}

TEST(Scheduler, ASignalToOneWorkerStopsTheSweep) {
    std::atomic<bool> signalled{false};
    const auto execute = [&](const RunOrder& order, const auto& on_step, const std::atomic<bool>& stop) {
        if (order.id == "run3") { signalled = true; }
        return take_steps(order, on_step, stop);
    };

    const Outcome outcome = run(
        orders(50, 30), 2, execute, [] { return false; }, signalled);

    EXPECT_GE(outcome.result.stopped, 1);
    EXPECT_GE(outcome.result.not_started, 40);
    EXPECT_EQ(outcome.result.ok + outcome.result.stopped + outcome.result.not_started, 50);
}

TEST(Scheduler, ReportsProgressOfLongRuns) { EXPECT_GE(run(orders(1, 400), 1, take_steps).log.progress_reports, 1); }

TEST(Messages, SurviveTheWayBetweenProcesses) {
    const auto request = std::get<WorkRequest>(decode_worker_message(encode(WorkerMessage{WorkRequest{true}})));
    EXPECT_TRUE(request.stop_requested);

    const auto progress =
        std::get<ProgressReport>(decode_worker_message(encode(WorkerMessage{ProgressReport{{3, 9, 2.5, 1e6}}})))
            .progress;
    EXPECT_EQ(progress.step, 3);
    EXPECT_EQ(progress.steps, 9);
    EXPECT_EQ(progress.loss, 2.5);
    EXPECT_EQ(progress.tokens_per_second, 1e6);

    RunReport report;
    report.record.id = "abc";
    report.record.state = RunState::diverged;
    report.record.state_reason = "loss \"NaN\"";
    report.record.spec = R"({"model":{}})";
    report.record.final_val_loss = 0.1 + 0.2;
    EXPECT_EQ(std::get<RunReport>(decode_worker_message(encode(WorkerMessage{report}))).record, report.record);

    const auto done = std::get<MemberDone>(decode_worker_message(encode(WorkerMessage{MemberDone{"disk full"}})));
    EXPECT_EQ(done.failure, "disk full");

    const RunOrder sent{.id = "a", .sweep = "b", .spec = "{}", .ranks = 2, .number = 7, .members = {1, 3}};
    const auto order = std::get<RunOrder>(decode_coordinator_message(encode(CoordinatorMessage{sent})));
    EXPECT_EQ(order.id + order.sweep + order.spec, "ab{}");
    EXPECT_EQ(order.ranks, 2);
    EXPECT_EQ(order.number, 7);
    EXPECT_EQ(order.members, sent.members);
    EXPECT_TRUE(std::holds_alternative<StopOrder>(decode_coordinator_message(encode(CoordinatorMessage{StopOrder{}}))));
    EXPECT_THROW(decode_coordinator_message("{}"), Error);
    EXPECT_THROW(decode_worker_message("nonsense"), Error);
}

}  // namespace
}  // namespace loglog
