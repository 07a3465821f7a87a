#include "apps/loglog/sweep_state.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>
#include <span>

#include "db/files/publish.hpp"
#include "experiments/run/run_folder.hpp"

namespace loglog {
namespace {

// Nothing for a run that has no folder, or one that cannot be read: training it will say what is wrong.
std::optional<RunRecord> record_of(const std::filesystem::path& registry, const std::string& id) {
    if (!run_folder_exists(registry, id)) { return std::nullopt; }
    try {
        return record_from_folder(run_folder(registry, id));
    } catch (const std::exception& error) {
        fmt::print(stderr, "warning: {}\n", error.what());
        return std::nullopt;
    }
}

}  // namespace

RunOrder order_of(const PlannedRun& run, const std::string& sweep) {
    return {
        .id = run.id, .sweep = sweep, .spec = to_json(run.spec), .ranks = static_cast<int>(run.spec.layout.ranks())};
}

std::optional<double> loss_of(const RunRecord& record) {
    if (record.state == RunState::diverged) { return std::numeric_limits<double>::infinity(); }
    if (record.state != RunState::ok || !record.final_val_loss) { return std::nullopt; }
    return std::isfinite(*record.final_val_loss) ? *record.final_val_loss : std::numeric_limits<double>::infinity();
}

FindLoss recorded_losses(const std::filesystem::path& registry) {
    return [registry](const std::string& id) {
        const std::optional<RunRecord> record = record_of(registry, id);
        return record ? loss_of(*record) : std::nullopt;
    };
}

SweepState sweep_state(const Plan& plan, Registry& registry) {
    SweepState state;
    std::vector<RunRecord> stale;
    std::vector<RunOrder> running;
    for (const std::size_t i : starting_order(plan)) {
        const PlannedRun& run = plan.runs[i];
        if (!run.lr_known) { continue; }
        std::optional<RunRecord> record = record_of(registry.folder(), run.id);
        const RunState now = record ? record->state : RunState::planned;
        switch (now) {
            case RunState::ok:
                ++state.ok;
                break;
            case RunState::diverged:
                ++state.diverged;
                break;
            case RunState::running:
                // Or so its folder says: of a process killed on another host nobody knows. Its lock decides, last of
                // all.
                running.push_back(order_of(run, plan.sweep));
                break;
            default:
                state.queue.push_back(order_of(run, plan.sweep));
                break;
        }
        if (record && registry.find(run.id) != record) { stale.push_back(std::move(*record)); }
    }
    state.queue.insert(state.queue.end(), running.begin(), running.end());
    if (!stale.empty()) { registry.upsert(std::span<const RunRecord>{stale}); }
    return state;
}

std::filesystem::path cancel_file(const std::filesystem::path& registry, const std::string& sweep) {
    return registry / ("cancel-" + sweep);
}

void request_cancel(const std::filesystem::path& registry, const std::string& sweep) {
    write_file(cancel_file(registry, sweep), "", Durability::process);
}

}  // namespace loglog
