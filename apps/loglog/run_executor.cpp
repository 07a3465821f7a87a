#include "apps/loglog/run_executor.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <thread>

#include "engine/base/error.hpp"
#include "engine/measure/ceilings.hpp"
#include "experiments/run/run_folder.hpp"
#include "experiments/run/trainer.hpp"
#include "sweeps/scheduler/run_lock.hpp"

namespace loglog {
namespace {

// Messages within a group before its run starts. Empty text: ready, or "train".
constexpr int to_leader = 1;
constexpr int to_member = 2;

void send_text(const Communicator& group, int rank, int tag, const std::string& text) {
    group.send(rank, tag, std::as_bytes(std::span{text}));
}

Communicator::Received receive(const Communicator& group, int tag) {
    while (true) {
        if (auto received = group.try_receive(tag)) { return std::move(*received); }
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
}

std::string text_of(const Communicator::Received& received) {
    return {reinterpret_cast<const char*>(received.message.data()), received.message.size()};
}

// What keeps the other members from starting, if anything does.
std::string problem_of_members(const Communicator& group) {
    std::string problem;
    for (int i = 1; i < group.size(); ++i) {
        const auto received = receive(group, to_leader);
        if (const std::string text = text_of(received); !text.empty() && problem.empty()) {
            problem = "rank " + std::to_string(received.from) + " of the run: " + text;
        }
    }
    return problem;
}

void tell_members(const Communicator* group, const std::string& verdict) {
    if (group == nullptr) { return; }
    for (int rank = 1; rank < group->size(); ++rank) { send_text(*group, rank, to_member, verdict); }
}

}  // namespace

RunReport RunExecutor::operator()(const RunOrder& order, const std::function<void(const RunProgress&)>& on_step,
                                  const std::atomic<bool>& stop) {
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
    if (order.members.size() <= 1) { return lead(order, context, nullptr); }

    // Tags tell apart only groups that are made at the same time.
    const int tag = static_cast<int>(order.number % Communicator::tag_limit);
    const Communicator group = world_->create_group(order.members, tag);
    context.communicator = &group;
    return group.rank() == 0 ? lead(order, context, &group) : follow(order, context, group);
}

RunReport RunExecutor::lead(const RunOrder& order, const RunContext& context, const Communicator* group) {
    const RunSpec spec = run_spec_from_json(order.spec);
    const std::string problem = group != nullptr ? problem_of_members(*group) : "";
    std::optional<RunLock> lock;
    std::optional<RunReport> settled;
    const TokenDataset* data = nullptr;
    try {
        if (auto taken = RunLock::try_acquire(registry_, order.id)) { lock.emplace(std::move(*taken)); }
        settled = report_without_training(order, lock.has_value());
        if (!settled && !problem.empty()) { throw Error{problem}; }
        if (!settled) { data = &shelf_.get(spec.data); }
    } catch (...) {
        tell_members(group, "the run cannot start");
        throw;
    }
    tell_members(group, settled ? "there is nothing to train" : "");
    if (settled) { return std::move(*settled); }
    try {
        return {train_run(spec, *data, context), false};
    } catch (const std::exception&) {
        // What the folder says of the failed run is more than its reason; without a folder the worker reports that.
        if (!run_folder_exists(registry_, order.id)) { throw; }
        RunRecord record = record_from_folder(run_folder(registry_, order.id));
        if (record.state != RunState::failed) { throw; }
        return {std::move(record), false};
    }
}

std::optional<RunReport> RunExecutor::report_without_training(const RunOrder& order, bool locked) const {
    if (!locked) {
        RunReport busy{{}, true};
        busy.record.id = order.id;
        return busy;
    }
    if (!run_folder_exists(registry_, order.id)) { return std::nullopt; }
    RunRecord record = record_from_folder(run_folder(registry_, order.id));
    if (record.state != RunState::ok && record.state != RunState::diverged) { return std::nullopt; }
    return RunReport{std::move(record), false};
}

RunReport RunExecutor::follow(const RunOrder& order, const RunContext& context, const Communicator& group) {
    const RunSpec spec = run_spec_from_json(order.spec);
    const TokenDataset* data = nullptr;
    std::string problem;
    try {
        data = &shelf_.get(spec.data);
    } catch (const std::exception& error) { problem = error.what(); }
    send_text(group, 0, to_leader, problem);
    const bool train = text_of(receive(group, to_member)).empty();
    RunReport report;
    if (train) { report.record = train_run(spec, *data, context); }
    return report;
}

double RunExecutor::peak_flops(int threads) {
    const auto [peak, is_new] = peaks_.try_emplace(threads, 0.0);
    if (is_new) { peak->second = measured_fma_peak(threads); }
    return peak->second;
}

}  // namespace loglog
