#include <gmock/gmock.h>

#include <algorithm>
#include <thread>

#include "apps/loglog/mpi_channel.hpp"
#include "sweeps/scheduler/local_channel.hpp"
#include "sweeps/scheduler/worker.hpp"
#include "tests/sweeps/scheduler/fake_runs.hpp"

namespace loglog {
namespace {

using testing::Log;
using testing::orders;

struct Outcome {
    SweepResult result;
    Log log;
    int executed_here = 0;
};

// One sweep over all ranks, as the program runs it: rank 0 coordinates in a thread and works as well.
Outcome run_on_all_ranks(int runs, int steps, const std::function<bool()>& should_stop) {
    const Communicator world = Communicator::world();
    const std::atomic<bool> never{false};
    Outcome outcome;
    const ExecuteRun execute = [&](const RunOrder& order, const auto& on_step, const std::atomic<bool>& stop) {
        ++outcome.executed_here;
        RunReport report;
        report.record.id = order.id;
        report.record.state = RunState::ok;
        // Longer than what MPI sends eagerly.
        report.record.state_reason = std::string(20'000, 'x');
        const int count = std::stoi(order.spec);
        for (int step = 1; step <= count; ++step) {
            if (stop) {
                report.record.state = RunState::stopped;
                break;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
            on_step({step, count, 1.0, 1.0});
        }
        return report;
    };
    if (world.rank() != 0) {
        MpiWorkerChannel line{world};
        work(line, execute, never);
        return outcome;
    }
    LocalChannels own{1};
    MpiCoordinatorChannel lines{world, own.coordinator()};
    std::thread coordinator{[&] { outcome.result = coordinate(orders(runs, steps), lines, outcome.log, should_stop); }};
    work(own.worker(0), execute, never);
    coordinator.join();
    return outcome;
}

TEST(MpiSweep, TrainsEveryRunOnceInTheQueuesOrder) {
    constexpr int runs = 20;
    const Outcome outcome = run_on_all_ranks(runs, 4, [] { return false; });

    int executed = 0;
    MPI_Allreduce(&outcome.executed_here, &executed, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    EXPECT_EQ(executed, runs);
    if (rank != 0) { return; }
    EXPECT_EQ(outcome.result.ok, runs);
    std::vector<std::string> in_order;
    for (const RunOrder& order : orders(runs, 4)) { in_order.push_back(order.id); }
    EXPECT_EQ(outcome.log.started, in_order);
    EXPECT_EQ(outcome.log.reports.back().record.state_reason.size(), 20'000u);
}

TEST(MpiSweep, AStopReachesEveryRank) {
    const auto begin = std::chrono::steady_clock::now();
    const Outcome outcome = run_on_all_ranks(
        30, 60'000, [begin] { return std::chrono::steady_clock::now() - begin > std::chrono::milliseconds{300}; });

    const Communicator world = Communicator::world();
    if (world.rank() != 0) { return; }
    EXPECT_EQ(outcome.result.ok, 0);
    EXPECT_EQ(outcome.result.stopped + outcome.result.not_started, 30);
    EXPECT_GE(outcome.result.stopped, 1);
    EXPECT_LE(outcome.result.stopped, world.size());
}

}  // namespace
}  // namespace loglog
