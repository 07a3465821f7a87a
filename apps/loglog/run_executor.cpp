#include "apps/loglog/run_executor.hpp"

#include <algorithm>

#include "engine/measure/ceilings.hpp"
#include "experiments/run/run_folder.hpp"
#include "experiments/run/trainer.hpp"
#include "sweeps/scheduler/run_lock.hpp"

namespace loglog {

RunReport RunExecutor::operator()(const RunOrder& order, const std::function<void(const RunProgress&)>& on_step,
                                  const std::atomic<bool>& stop) {
    const auto lock = RunLock::try_acquire(registry_, order.id);
    if (!lock) {
        RunReport busy{{}, true};
        busy.record.id = order.id;
        return busy;
    }
    const auto folder = run_folder(registry_, order.id);
    if (run_folder_exists(registry_, order.id)) {
        RunRecord record = record_from_folder(folder);
        if (record.state == RunState::ok || record.state == RunState::diverged) { return {std::move(record), false}; }
    }

    const RunSpec spec = run_spec_from_json(order.spec);
    RunContext context;
    context.registry = registry_;
    context.id = order.id;
    context.sweep = order.sweep;
    context.environment = environment_;
    context.threads = spec.train.threads > 0 ? static_cast<int>(spec.train.threads) : threads_;
    context.peak_flops = peak_flops(context.threads);
    context.stop = &stop;
    context.on_step = on_step;
    try {
        return {train_run(spec, shelf_.get(spec.data), context), false};
    } catch (const std::exception&) {
        // What the folder says of the failed run is more than its reason; without a folder the worker reports that.
        if (!run_folder_exists(registry_, order.id)) { throw; }
        RunRecord record = record_from_folder(folder);
        if (record.state != RunState::failed) { throw; }
        return {std::move(record), false};
    }
}

double RunExecutor::peak_flops(int threads) {
    const auto [peak, is_new] = peaks_.try_emplace(threads, 0.0);
    if (is_new) { peak->second = measured_fma_peak(threads); }
    return peak->second;
}

}  // namespace loglog
