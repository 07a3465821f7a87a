#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "engine/base/random.hpp"
#include "sweeps/scheduler/local_channel.hpp"
#include "sweeps/scheduler/worker.hpp"
#include "tests/sweeps/scheduler/fake_runs.hpp"
#include "tests/sweeps/scheduler/simulated_workers.hpp"

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Log;
using testing::SimulatedWorkers;

RunOrder order(const std::string& id, int ranks, double seconds) {
    return {.id = id, .sweep = "test", .spec = std::to_string(seconds), .ranks = ranks};
}

// Runs of 1, 2 and 4 ranks and 1 to 10 seconds, in starting order.
std::vector<RunOrder> mixed_queue(std::uint64_t seed) {
    const Random random{Seed{seed}, Stream::synthetic_data};
    std::vector<RunOrder> queue;
    for (std::uint64_t i = 0; i < 40; ++i) {
        const int ranks = 1 << random.below(2 * i, 3);
        const double seconds = 1 + static_cast<double>(random.below(2 * i + 1, 10));
        queue.push_back(order("run" + std::to_string(i), ranks, seconds));
    }
    std::stable_sort(queue.begin(), queue.end(), [](const RunOrder& a, const RunOrder& b) {
        return a.ranks != b.ranks ? a.ranks > b.ranks : std::stod(a.spec) > std::stod(b.spec);
    });
    return queue;
}

SweepResult simulate_sweep(const std::vector<RunOrder>& queue, SimulatedWorkers& workers) {
    workers.expect(queue);
    return coordinate(queue, workers, workers, [] { return false; });
}

TEST(MixedLayouts, KeepAllRanksBusyWhileWorkIsLeft) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SimulatedWorkers workers{4};
        const std::vector<RunOrder> queue = mixed_queue(seed);

        const SweepResult result = simulate_sweep(queue, workers);

        EXPECT_EQ(result.ok, 40);
        EXPECT_EQ(workers.dismissed(), 4);
        EXPECT_GT(utilisation(workers.timeline(), 4), 0.85) << "seed " << seed;
        // Members end 1 ms after one another: that is all that may be lost while something fits.
        EXPECT_LT(workers.wasted(), 0.02 * 40) << "seed " << seed;
    }
}

TEST(MixedLayouts, NeverGiveARankToTwoRuns) {
    SimulatedWorkers workers{4};
    simulate_sweep(mixed_queue(3), workers);

    for (const TimelineEntry& a : workers.timeline()) {
        EXPECT_EQ(std::set<int>(a.ranks.begin(), a.ranks.end()).size(), a.ranks.size());
        for (const TimelineEntry& b : workers.timeline()) {
            const bool meet = a.start < b.end && b.start < a.end && a.id < b.id;
            if (!meet) { continue; }
            std::vector<int> shared;
            std::set_intersection(a.ranks.begin(), a.ranks.end(), b.ranks.begin(), b.ranks.end(),
                                  std::back_inserter(shared));
            EXPECT_TRUE(shared.empty()) << a.id << " and " << b.id;
        }
    }
}

TEST(MixedLayouts, StartLargeRunsInTheirOrderAndFillTheRest) {
    SimulatedWorkers workers{4};
    simulate_sweep({order("a", 3, 2), order("b", 3, 2), order("c", 2, 1), order("d", 1, 3), order("e", 1, 1)}, workers);

    // d fills the rank beside a; b follows a although c and e would fit sooner; e takes the rank that d leaves.
    EXPECT_THAT(workers.started(), ElementsAre("a", "d", "b", "e", "c"));
}

TEST(MixedLayouts, ARunThatNeedsMoreRanksThanThereAreFailsBeforeAnythingStarts) {
    SimulatedWorkers workers{2};

    const SweepResult result = simulate_sweep({order("large", 4, 1), order("small", 1, 1)}, workers);

    EXPECT_EQ(result.failed, 1);
    EXPECT_EQ(result.ok, 1);
    ASSERT_EQ(workers.reports().size(), 2u);
    const RunRecord& record = workers.reports()[0].record;
    EXPECT_EQ(record.id, "large");
    EXPECT_EQ(record.state, RunState::failed);
    EXPECT_THAT(record.state_reason, HasSubstr("needs 4 ranks, but this job has 2"));
    EXPECT_THAT(record.state_reason, HasSubstr("mpirun -n 4"));
    EXPECT_THAT(workers.started(), ElementsAre("small"));
}

// Workers in threads, which say what they were told to do.
struct Threads {
    explicit Threads(int workers) : channels{workers} {}

    template <class Execute>
    SweepResult run(std::vector<RunOrder> queue, const Execute& execute, const std::function<bool()>& should_stop,
                    std::chrono::milliseconds patience = std::chrono::seconds{20}) {
        std::vector<std::thread> threads;
        for (int i = 0; i < channels.coordinator().workers(); ++i) {
            threads.emplace_back([&, i] {
                work(
                    channels.worker(i),
                    [&](const RunOrder& run, const auto& on_step, const std::atomic<bool>& stop) {
                        return execute(i, run, on_step, stop);
                    },
                    signalled);
            });
        }
        SweepResult result;
        try {
            result = coordinate(std::move(queue), channels.coordinator(), log, should_stop, patience);
        } catch (const GroupBroken& error) {
            failure = error.what();
            release = true;
            for (int i = 0; i < channels.coordinator().workers(); ++i) {
                channels.coordinator().send(i, DismissOrder{});
            }
        }
        for (std::thread& thread : threads) { thread.join(); }
        return result;
    }

    LocalChannels channels;
    Log log;
    std::atomic<bool> signalled{false};
    std::atomic<bool> release{false};  // lets workers go that would be stuck for ever
    std::string failure;
};

RunReport report_of(const RunOrder& run, RunState state) {
    RunReport report;
    report.record.id = run.id;
    report.record.state = state;
    return report;
}

TEST(MixedLayouts, EveryMemberGetsTheOrderAndTheLeaderReports) {
    Threads threads{3};
    std::mutex mutex;
    std::set<std::pair<std::string, int>> executed;
    const auto execute = [&](int worker, const RunOrder& run, const auto& on_step, const std::atomic<bool>&) {
        {
            const std::lock_guard lock{mutex};
            executed.emplace(run.id, worker);
        }
        EXPECT_TRUE(std::find(run.members.begin(), run.members.end(), worker) != run.members.end());
        for (int step = 0; step < 100; ++step) {
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
            on_step({step, 100, 1.0, 1.0});
        }
        RunReport report = report_of(run, RunState::ok);
        report.record.host = "worker " + std::to_string(worker);
        return report;
    };

    const SweepResult result = threads.run({order("a", 3, 0), order("b", 2, 0)}, execute, [] { return false; });

    EXPECT_EQ(result.ok, 2);
    EXPECT_EQ(executed.size(), 5u);
    EXPECT_THAT(threads.log.ended, ElementsAre("a", "b"));
    EXPECT_EQ(threads.log.reports[0].record.host, "worker 0");
    EXPECT_GE(threads.log.progress_reports, 2);
}

TEST(MixedLayouts, AStopReachesEveryMember) {
    Threads threads{3};
    std::atomic<int> stopped{0};
    std::atomic<int> begun{0};
    const auto execute = [&](int, const RunOrder& run, const auto& on_step, const std::atomic<bool>& stop) {
        ++begun;
        while (!stop) {
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
            on_step({1, 2, 1.0, 1.0});
        }
        ++stopped;
        return report_of(run, RunState::stopped);
    };

    const SweepResult result =
        threads.run({order("a", 2, 0), order("b", 1, 0), order("c", 1, 0)}, execute, [&] { return begun == 3; });

    EXPECT_EQ(stopped, 3);
    EXPECT_EQ(result.stopped, 2);
    EXPECT_EQ(result.not_started, 1);
}

TEST(MixedLayouts, ASignalToAWaitingWorkerStopsTheSweep) {
    Threads threads{3};
    const auto execute = [&](int, const RunOrder& run, const auto& on_step, const std::atomic<bool>& stop) {
        threads.signalled = true;  // of the third worker's process too, which waits: both runs need two
        for (int step = 0; step < 2'000 && !stop; ++step) {
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
            on_step({step, 2'000, 1.0, 1.0});
        }
        return report_of(run, stop ? RunState::stopped : RunState::ok);
    };

    const SweepResult result = threads.run({order("a", 2, 0), order("b", 2, 0)}, execute, [] { return false; });

    EXPECT_EQ(result.stopped, 1);
    EXPECT_EQ(result.not_started, 1);
}

TEST(MixedLayouts, AFailureOfAllMembersLeavesTheOtherRunsAlone) {
    Threads threads{2};
    const auto execute = [](int, const RunOrder& run, const auto&, const std::atomic<bool>&) {
        if (run.id == "a") { throw Error{"disk full"}; }
        return report_of(run, RunState::ok);
    };

    const SweepResult result = threads.run({order("a", 2, 0), order("b", 2, 0)}, execute, [] { return false; });

    EXPECT_EQ(result.failed, 1);
    EXPECT_EQ(result.ok, 1);
    EXPECT_EQ(threads.log.reports[0].record.state_reason, "disk full");
}

TEST(MixedLayouts, AMemberThatFailsAloneEndsTheJobAndIsNamed) {
    Threads threads{2};
    const auto execute = [&](int worker, const RunOrder& run, const auto&, const std::atomic<bool>&) {
        if (worker == 1) { throw Error{"disk full"}; }
        while (!threads.release) { std::this_thread::sleep_for(std::chrono::milliseconds{1}); }
        return report_of(run, RunState::ok);
    };

    threads.run(
        {order("a", 2, 0)}, execute, [] { return false; }, std::chrono::milliseconds{100});

    EXPECT_THAT(threads.failure, HasSubstr("run a failed on rank 1: disk full"));
}

TEST(Timeline, UtilisationIsTheBusyShare) {
    const std::vector<TimelineEntry> timeline{
        {"a", {0, 1}, 1, 5, "ok"}, {"b", {2}, 1, 3, "ok"}, {"c", {0}, 5, 6, "ok"}};

    EXPECT_DOUBLE_EQ(utilisation(timeline, 3), (8.0 + 2 + 1) / (3 * 5));
    EXPECT_EQ(utilisation({}, 4), 1);
}

TEST(Timeline, ReadsTheLastJobsLines) {
    const auto folder = std::filesystem::temp_directory_path() / ("loglog-timeline-" + std::to_string(::getpid()));
    const auto file = timeline_file(folder, "mixed");
    const TimelineEntry a{"a", {0, 1}, 0.25, 5.5, "ok"};
    const TimelineEntry b{"b", {2}, 0, 3, "stopped"};

    append_to_timeline(file, {"2025-01-01T00:00:00Z", 4}, b);
    append_to_timeline(file, {"2025-01-02T00:00:00Z", 4}, a);
    append_to_timeline(file, {"2025-01-02T00:00:00Z", 4}, b);
    std::ofstream{file, std::ios::app} << R"({"id": "cut sho)";
    const auto entries = read_last_timeline(file);
    std::filesystem::remove_all(folder);

    EXPECT_EQ(file, folder / "sweeps" / "mixed" / "timeline.jsonl");
    EXPECT_THAT(entries, ElementsAre(a, b));
}

}  // namespace
}  // namespace loglog
