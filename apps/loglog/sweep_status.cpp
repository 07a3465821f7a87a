#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/loglog/progress_line.hpp"
#include "apps/loglog/sweep_options.hpp"
#include "apps/loglog/sweep_state.hpp"
#include "experiments/run/run_folder.hpp"

namespace loglog {
namespace {

// A run that is trained now.
struct Active {
    RunRecord record;
    double age_seconds;  // since the last line of its journal
};

struct Status {
    std::map<RunState, int> states;
    std::vector<Active> active;
    std::vector<std::string> unreadable;
    std::optional<double> seconds_left;
};

double age_of(const std::filesystem::path& journal) {
    std::error_code error;
    const auto written = std::filesystem::last_write_time(journal, error);
    if (error) { return 0; }
    return std::chrono::duration<double>(std::filesystem::file_time_type::clock::now() - written).count();
}

// FLOPs that are left over the FLOP/s of the runs now under way.
std::optional<double> seconds_left(double flops_left, const std::vector<Active>& active) {
    double rate = 0;
    for (const Active& run : active) {
        rate += run.record.tokens_per_second.value_or(0) * run.record.flops_per_token.value_or(0);
    }
    return rate > 0 ? std::optional{flops_left / rate} : std::nullopt;
}

Status status_of(const Plan& plan, const std::filesystem::path& registry) {
    Status status;
    double flops_left = 0;
    for (const PlannedRun& run : plan.runs) {
        double flops_done = 0;
        RunState state = RunState::planned;
        if (run.lr_known && run_folder_exists(registry, run.id)) {
            const auto folder = run_folder(registry, run.id);
            try {
                RunRecord record = record_from_folder(folder);
                state = record.state;
                if (record.steps) { flops_done = record.flops.value_or(0); }
                if (state == RunState::running) {
                    status.active.push_back({std::move(record), age_of(folder / "journal.jsonl")});
                }
            } catch (const std::exception& error) { status.unreadable.emplace_back(error.what()); }
        }
        ++status.states[state];
        const bool over = state == RunState::ok || state == RunState::diverged || state == RunState::failed;
        if (!over) { flops_left += run.cost.flops(run.spec) - flops_done; }
    }
    status.seconds_left = seconds_left(flops_left, status.active);
    return status;
}

void print_json(const Plan& plan, const Status& status) {
    using Json = nlohmann::ordered_json;
    Json states = Json::object();
    for (const RunState state : {RunState::planned, RunState::running, RunState::ok, RunState::diverged,
                                 RunState::failed, RunState::stopped}) {
        const auto count = status.states.find(state);
        states[to_text(state)] = count != status.states.end() ? count->second : 0;
    }
    Json active = Json::array();
    for (const Active& run : status.active) {
        const RunRecord& record = run.record;
        active.push_back({{"id", record.id},
                          {"step", record.steps.value_or(0)},
                          {"steps", record.planned_steps.value_or(0)},
                          {"loss", record.final_train_loss ? Json(*record.final_train_loss) : Json{}},
                          {"age_seconds", run.age_seconds}});
    }
    const Json root{{"sweep", plan.sweep},
                    {"runs", plan.runs.size()},
                    {"states", states},
                    {"running", active},
                    {"seconds_left", status.seconds_left ? Json(*status.seconds_left) : Json{}}};
    fmt::print("{}\n", root.dump(2));
}

void print_text(const Plan& plan, const Status& status) {
    fmt::print("sweep {}: {} runs", plan.sweep, plan.runs.size());
    for (const auto& [state, count] : status.states) { fmt::print(", {} {}", count, to_text(state)); }
    fmt::print("\n");
    for (const Active& run : status.active) {
        const RunRecord& record = run.record;
        fmt::print("  {}  step {}/{}  loss {:.4f}  {:.3g} tokens/s  heard of {} ago\n", record.id,
                   record.steps.value_or(0), record.planned_steps.value_or(0), record.final_train_loss.value_or(0),
                   record.tokens_per_second.value_or(0), spell_duration(run.age_seconds));
    }
    if (status.seconds_left) { fmt::print("about {} left\n", spell_duration(*status.seconds_left)); }
}

}  // namespace

void print_status(const SweepOptions& options) {
    DataShelf shelf{OpenCheck::sizes_only};
    SweepOptions lenient = options;
    lenient.force = true;  // the state of a sweep is told whatever may be said against its plan
    const std::filesystem::path registry = registry_folder(options.registry);
    const Plan plan =
        plan_of(lenient, shelf, DataNeed::required, typical_host(1, typical_flops), recorded_losses(registry));
    const Status status = status_of(plan, registry);
    for (const std::string& problem : status.unreadable) { fmt::print(stderr, "warning: {}\n", problem); }
    options.json ? print_json(plan, status) : print_text(plan, status);
}

}  // namespace loglog
