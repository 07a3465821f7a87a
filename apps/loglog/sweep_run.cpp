#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "apps/loglog/growing_plan.hpp"
#include "apps/loglog/mpi_channel.hpp"
#include "apps/loglog/run_executor.hpp"
#include "apps/loglog/stop_signal.hpp"
#include "apps/loglog/sweep_ledger.hpp"
#include "apps/loglog/sweep_options.hpp"
#include "apps/loglog/sweep_state.hpp"
#include "distributed/mpi/session.hpp"
#include "engine/base/error.hpp"
#include "engine/measure/ceilings.hpp"
#include "experiments/run/environment.hpp"
#include "experiments/run/trainer.hpp"
#include "sweeps/launch/launcher.hpp"
#include "sweeps/scheduler/local_channel.hpp"
#include "sweeps/scheduler/worker.hpp"

namespace loglog {
namespace {

using Clock = std::chrono::steady_clock;

/// Whether the sweep was told to stop: by a signal to this process, its time limit, or `sweep cancel`.
class StopCondition {
  public:
    StopCondition(const std::atomic<bool>& signalled, double seconds, std::filesystem::path cancel_file)
        : signalled_{signalled}, seconds_{seconds}, cancel_file_{std::move(cancel_file)} {
        std::filesystem::remove(cancel_file_);  // of a sweep that was over before it looked
    }
    ~StopCondition() {
        std::error_code ignored;
        std::filesystem::remove(cancel_file_, ignored);
    }
    StopCondition(const StopCondition&) = delete;
    StopCondition& operator=(const StopCondition&) = delete;

    bool operator()() {
        const auto now = Clock::now();
        if (seconds_ > 0 && now - start_ > std::chrono::duration<double>(seconds_)) { return true; }
        if (now >= next_look_) {
            next_look_ = now + std::chrono::seconds{1};
            if (std::filesystem::exists(cancel_file_)) { cancelled_ = true; }
        }
        return signalled_ || cancelled_;
    }

  private:
    const std::atomic<bool>& signalled_;
    double seconds_;
    std::filesystem::path cancel_file_;
    Clock::time_point start_ = Clock::now();
    Clock::time_point next_look_ = start_;
    bool cancelled_ = false;
};

/// Runs `coordinate_all` in a thread of its own while this one works; what it throws is thrown here.
template <class Coordinate>
void coordinate_and_work(CoordinatorChannel& lines, WorkerChannel& own_line, const ExecuteRun& execute,
                         const std::atomic<bool>& signalled, const Coordinate& coordinate_all) {
    std::exception_ptr failure;
    std::thread coordinator{[&] {
        try {
            coordinate_all();
        } catch (const GroupBroken& broken) {
            MpiSession::abort(broken.what(), exit_code(ErrorKind::work));  // this rank's worker may be stuck as well
        } catch (...) {
            failure = std::current_exception();
            lines.send(0, StopOrder{});  // this rank's worker must come to an end for the error to be told
            lines.send(0, DismissOrder{});
        }
    }};
    work(own_line, execute, signalled);
    coordinator.join();
    if (failure) { std::rethrow_exception(failure); }
}

/// What this job did for the sweep.
struct Outcome {
    SweepResult result;
    std::vector<RunRecord> unsuccessful;
    std::vector<TimelineEntry> timeline;
    int ranks;
};

/// What rank 0 prints at the end, and the program's exit status.
int conclude(const Plan& plan, const SweepState& before, const Outcome& outcome, const SweepOptions& options) {
    const auto& [result, unsuccessful, timeline, ranks] = outcome;
    const int ok = before.ok + result.ok;
    const int diverged = before.diverged + result.diverged;
    const int busy = result.busy;
    const int waiting = waiting_runs(plan);
    const int unfinished = result.stopped + result.not_started;
    const bool timed = ranks > 1 && !timeline.empty();
    const double used = utilisation(timeline, ranks);
    if (options.quiet) {
        for (const RunRecord& run : unsuccessful) {
            fmt::print(stderr, "{} {}: {}\n", run.id, to_text(run.state), run.state_reason);
        }
    } else if (options.json) {
        const nlohmann::ordered_json summary{{"sweep", plan.sweep},
                                             {"runs", plan.runs.size()},
                                             {"ok", ok},
                                             {"diverged", diverged},
                                             {"failed", result.failed},
                                             {"stopped", result.stopped},
                                             {"not_started", result.not_started},
                                             {"waiting", waiting},
                                             {"trained_elsewhere", busy},
                                             {"ranks", ranks},
                                             {"utilisation", timed ? nlohmann::ordered_json(used) : nullptr}};
        fmt::print("{}\n", summary.dump(2));
    } else {
        fmt::print("sweep {}: {} of {} runs ok", plan.sweep, ok, plan.runs.size());
        if (diverged > 0) { fmt::print(", {} diverged", diverged); }
        if (result.failed > 0) { fmt::print(", {} failed", result.failed); }
        if (unfinished > 0) { fmt::print(", {} left", unfinished); }
        if (busy > 0) { fmt::print(", {} trained by another process", busy); }
        if (waiting > 0) { fmt::print(", {} wait for a learning rate to be found", waiting); }
        fmt::print("\n");
        if (timed) { fmt::print("  {} ranks, busy {:.1f}% of the time\n", ranks, 100 * used); }
        for (const RunRecord& run : unsuccessful) {
            fmt::print("  {} {}: {}\n", run.id, to_text(run.state), run.state_reason);
        }
    }
    if (unfinished > 0) {
        fmt::print(stderr, "stopped; the same command goes on with the {} runs that are left\n", unfinished + waiting);
        return exit_code(ErrorKind::interrupted);
    }
    if (busy > 0) { return exit_code(ErrorKind::interrupted); }
    return diverged + result.failed > 0 ? 3 : 0;
}

/// The whole sweep, from rank 0 or a process without MPI. `lines` may lead to no worker but this process's own.
int lead(const SweepOptions& options, const Launch& launch, CoordinatorChannel& lines, WorkerChannel& own_line,
         const ExecuteRun& execute, const std::atomic<bool>& signalled) {
    const int threads = threads_per_rank(launch);
    const std::filesystem::path registry_path = registry_folder(options.registry);
    // Shared with the coordinator's thread only; the executor opens data of its own.
    DataShelf shelf{OpenCheck::sizes_only};
    std::optional<GrowingPlan> growing;
    SweepState before;
    std::optional<SweepLedger> ledger;
    const auto prepare = [&] {
        growing.emplace(options, shelf, registry_path, launch.ranks, typical_throughput(measured_fma_peak(threads)));
        const Plan& plan = growing->plan();
        Registry registry = Registry::open(registry_path, Access::write);
        before = sweep_state(plan, registry);
        if (!options.quiet) {
            for (const std::string& warning : plan.warnings) { fmt::print(stderr, "warning: {}\n", warning); }
        }
        for (const std::string& warning : launch_warnings(launch, threads)) {
            fmt::print(stderr, "warning: {}\n", warning);
        }
        const auto to_train = before.queue.size() + static_cast<std::size_t>(waiting_runs(plan));
        fmt::print(stderr, "sweep {}: {} runs, {} to train; {}\n", plan.sweep, plan.runs.size(), to_train,
                   describe(launch, threads));
        const TimelineJob job{.started_at = utc_now(), .ranks = lines.workers()};
        ledger.emplace(std::move(registry), plan, before.queue, job, [&](const PlannedRun& run) {
            RunRecord record = planned_record(run.spec, shelf.get(run.spec.data), run.id, growing->plan().sweep);
            record.created_at = utc_now();
            record.host = host_name();
            record.folder = "runs/" + run.id;
            return record;
        });
    };
    try {
        prepare();
    } catch (...) {
        // The other ranks wait for work: send them home, so that every rank ends and only this one tells why.
        for (int worker = 1; worker < lines.workers(); ++worker) { lines.send(worker, DismissOrder{}); }
        throw;
    }

    StopCondition stop{signalled, options.stop_after, cancel_file(registry_path, growing->plan().sweep)};
    SweepResult result;
    std::exception_ptr no_plan;  // why the plan could not be made again: told once all ranks have ended
    const auto grow = [&]() -> std::vector<RunOrder> {
        try {
            return no_plan ? std::vector<RunOrder>{} : growing->grow(*ledger);
        } catch (const std::exception&) { no_plan = std::current_exception(); }
        return {};
    };
    coordinate_and_work(lines, own_line, execute, signalled, [&] {
        result = coordinate(
            before.queue, lines, *ledger, [&] { return stop(); }, usual_patience,
            growing->may_grow() ? MoreRuns{grow} : MoreRuns{});
    });
    ledger->finish();
    if (no_plan) { std::rethrow_exception(no_plan); }
    const Outcome outcome{result, ledger->unsuccessful(), ledger->timeline(), lines.workers()};
    ledger.reset();  // ends the progress line before the summary
    return conclude(growing->plan(), before, outcome, options);
}

}  // namespace

void run_sweep(const SweepOptions& options, Program& program) {
    std::optional<MpiSession> session;
    if (started_by_launcher()) { session.emplace(); }
    const Launch launch = detect_launch();
    const std::atomic<bool>& signalled = watch_stop_signals();
    const auto executor = [&](const Communicator* world) -> ExecuteRun {
        const auto shared = std::make_shared<RunExecutor>(
            registry_folder(options.registry),
            capture_environment(program.argc, program.argv, {{"mpi", mpi_library_version()}}), threads_per_rank(launch),
            world);
        return [shared](const RunOrder& order, const auto& on_step, const std::atomic<bool>& stop) {
            return (*shared)(order, on_step, stop);
        };
    };

    LocalChannels own{1};
    if (!session) {
        program.exit_status = lead(options, launch, own.coordinator(), own.worker(0), executor(nullptr), signalled);
        return;
    }
    std::exception_ptr failure;
    {
        const Communicator world = Communicator::world();
        const ExecuteRun execute = executor(&world);
        if (world.rank() == 0) {
            MpiCoordinatorChannel lines{world, own.coordinator()};
            // Bad input is told once all ranks have ended in good order; MpiSession's destructor would abort them.
            try {
                program.exit_status = lead(options, launch, lines, own.worker(0), execute, signalled);
            } catch (const InputError&) { failure = std::current_exception(); }
        } else {
            MpiWorkerChannel line{world};
            work(line, execute, signalled);
        }
    }
    session.reset();
    if (failure) { std::rethrow_exception(failure); }
}

void cancel_sweep(const SweepOptions& options) {
    const SweepSpec sweep = load_sweep_spec(options.file, options.overrides);
    const std::filesystem::path registry = registry_folder(options.registry);
    if (!std::filesystem::is_directory(registry)) {
        throw InputError{fmt::format("there is no registry folder {}", registry.string())};
    }
    request_cancel(registry, sweep.name);
    fmt::print("asked sweep {} to checkpoint and stop; 'loglog sweep run' goes on with it\n", sweep.name);
}

}  // namespace loglog
