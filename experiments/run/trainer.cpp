#include "experiments/run/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <numbers>
#include <optional>
#include <utility>

#include "distributed/mpi/barrier.hpp"
#include "distributed/mpi/watchdog.hpp"
#include "engine/base/error.hpp"
#include "engine/data/window_order.hpp"
#include "experiments/run/checkpoint.hpp"
#include "experiments/run/curves.hpp"
#include "experiments/run/divergence.hpp"
#include "experiments/run/environment.hpp"
#include "experiments/run/estimate.hpp"
#include "experiments/run/run_folder.hpp"
#include "experiments/run/trained_model.hpp"
#include "experiments/run/training_session.hpp"

namespace loglog {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// The windows of every evaluation: `count` of them, evenly spread over the validation split.
struct ValidationWindows {
    std::uint64_t count;
    WindowSource source;
};

ValidationWindows validation_windows(const TokenDataset& data, const RunSpec& spec) {
    const auto context = static_cast<std::uint64_t>(spec.model.context);
    const auto tokens = data.tokens(Split::validation);
    const auto available = tokens == 0 ? 0 : (tokens - 1) / context;
    if (available == 0) {
        throw InputError{
            fmt::format("the data set's validation split has {} tokens, but an evaluation needs at least one "
                        "window of model.context + 1 = {} (build the data set from more documents, or with a "
                        "larger --val-fraction)",
                        tokens, context + 1)};
    }
    const auto count =
        std::clamp<std::uint64_t>(static_cast<std::uint64_t>(spec.train.eval_tokens) / context, 1, available);
    return {count, [&data, context, available, count](std::uint64_t position, std::span<std::int32_t> window) {
                data.read(Split::validation, position * available / count * context, window);
            }};
}

Topology topology_of(const RunSpec& spec, const RunContext& context, OperationLog& log) {
    if (context.communicator == nullptr) { return Topology{spec.layout.reduction}; }
    return {*context.communicator, layout_of(spec), spec.layout.reduction, &log};
}

/// Watches a run of several ranks; nothing where there is one.
std::unique_ptr<Watchdog> watchdog_of(const RunSpec& spec, const RunContext& context, const OperationLog& log) {
    if (context.communicator == nullptr) { return nullptr; }
    const Place place = place_of(layout_of(spec), context.communicator->rank());
    WatchdogLimits limits;
    limits.waiting_seconds = context.stuck_seconds;
    return std::make_unique<Watchdog>(*context.communicator, log,
                                      fmt::format("dp {}, tp {}, pp {}", place.dp, place.tp, place.pp), limits);
}

/// One run being trained: ties the session to its journal, checkpoints and stop signals. With several ranks, the first
/// one leads: it alone writes the folder's files (all write their parts of checkpoints). What happens next follows on
/// every rank from what a step told all of them.
class RunLoop {
  public:
    RunLoop(const RunSpec& spec, const TokenDataset& data, const RunContext& context, double flops_per_token)
        : spec_{spec},
          data_{data},
          context_{context},
          flops_per_token_{flops_per_token},
          folder_{run_folder(context.registry, context.id)},
          validation_{validation_windows(data, spec)},
          watchdog_{watchdog_of(spec, context, operations_)},
          session_{spec, training_windows(data, spec), context.threads, topology_of(spec, context, operations_)},
          leads_{session_.topology().everyone().rank() == 0} {}

    /// Whether this rank writes the run's folder.
    bool leads() const noexcept { return leads_; }

    RunRecord run() {
        restore();
        if (leads_) { live_.emplace(LiveRun::open(folder_, session_.steps_done())); }
        try {
            return train();
        } catch (const std::exception& error) {
            // The reason matters more than a second failure on the way out (a full disk fails both).
            try {
                close(RunState::failed, error.what());
            } catch (const std::exception&) {}
            throw;
        }
    }

  private:
    /// Loads the last checkpoint, and from the journal what an uninterrupted process would remember.
    void restore() {
        const auto restored = restore_newest(folder_, state());
        if (!restored) { return; }
        const auto& label = restored->label;
        if (label.id != context_.id) {
            throw Error{fmt::format("{} belongs to run {}, not {}", restored->file.string(), label.id, context_.id)};
        }
        if (leads_) {
            for (const auto& reason : restored->refused) { fmt::print(stderr, "warning: {}\n", reason); }
        }
        session_.resume_after(label.step);
        for (const auto& line : read_curves(folder_).train) {
            if (line.step > label.step) { break; }
            divergence_.observe(line.step, line.loss, line.grad_norm);
            seconds_ = line.seconds;
        }
        // The leader is about to remove the curves and to append to the journal that the others may still be reading.
        if (context_.communicator != nullptr) { wait_for_all(*context_.communicator); }
    }

    RunRecord train() {
        const auto steps = total_steps(spec_);
        last_checkpoint_ = Clock::now();
        while (session_.steps_done() < steps) {
            if (context_.communicator == nullptr && is_asked_to_stop()) { return stop(); }
            const auto result = step();
            const auto done = session_.steps_done();
            if (const auto reason = divergence_.observe(done, result.loss, result.gradient_norm)) {
                return close(RunState::diverged, *reason);
            }
            if (done % spec_.train.eval_every == 0 || done == steps) { evaluate(); }
            if (done == steps) { break; }
            if (result.stop_requested) { return stop(); }
            if (result.checkpoint_requested || checkpoint_is_due_at(done)) { save(); }
        }
        save_weights(weights_file(folder_), state(), label());
        const auto record = close(RunState::ok, "");
        if (leads_) { remove_checkpoints(folder_, keep_rules()); }
        return record;
    }

    StepResult step() {
        const auto start = Clock::now();
        const auto result = session_.step({.stop = is_asked_to_stop(), .checkpoint = checkpoint_is_overdue()});
        const double seconds = seconds_since(start);
        seconds_ += seconds;
        if (!leads_) { return result; }

        const auto done = session_.steps_done();
        const auto batch_tokens = static_cast<double>(spec_.train.batch_tokens);
        const double peak_flops = context_.peak_flops * static_cast<double>(spec_.layout.ranks());
        StepLine line;
        line.step = done;
        line.loss = result.loss;
        line.lr = result.lr;
        line.grad_norm = result.gradient_norm;
        line.tokens = done * spec_.train.batch_tokens;
        line.flops = flops_per_token_ * static_cast<double>(line.tokens);
        line.seconds = seconds_;
        line.tokens_per_second = batch_tokens / seconds;
        line.share_of_peak = peak_flops > 0 ? flops_per_token_ * batch_tokens / seconds / peak_flops : 0;
        line.clipped = result.clipped;
        line.noise_scale = result.noise_scale.value_or(0);
        live_->journal().write(line);
        if (context_.on_step) { context_.on_step({done, total_steps(spec_), result.loss, line.tokens_per_second}); }
        return result;
    }

    void evaluate() {
        auto evaluation = session_.evaluate(validation_.source, validation_.count);
        if (!leads_) { return; }
        EvalLine line;
        line.step = session_.steps_done();
        line.tokens = line.step * spec_.train.batch_tokens;
        line.val_loss = evaluation.loss;
        line.bits_per_byte = evaluation.loss / std::numbers::ln2 / data_.bytes_per_token(Split::validation);
        line.perplexity = std::exp(evaluation.loss);
        line.loss_by_position = std::move(evaluation.loss_by_position);
        live_->journal().write(line);
    }

    bool is_asked_to_stop() const { return context_.stop != nullptr && *context_.stop; }
    bool checkpoint_is_due_at(std::int64_t done) const {
        const auto& train = spec_.train;
        return (train.checkpoint_every > 0 && done % train.checkpoint_every == 0) ||
               std::find(train.keep_at.begin(), train.keep_at.end(), done) != train.keep_at.end();
    }
    /// By the leader's clock, where the spec names no number of steps: all ranks must agree.
    bool checkpoint_is_overdue() const {
        return leads_ && spec_.train.checkpoint_every == 0 &&
               seconds_since(last_checkpoint_) > context_.checkpoint_seconds;
    }

    RunRecord stop() {
        save();
        return close(RunState::stopped, "stopped by a signal");
    }

    void save() {
        store_checkpoint(folder_, state(), label(), keep_rules());
        if (leads_) { live_->journal().write(CheckpointLine{session_.steps_done()}); }
        last_checkpoint_ = Clock::now();
    }

    KeepRules keep_rules() const { return {spec_.train.keep_last, spec_.train.keep_at}; }
    CheckpointLabel label() const { return {context_.id, session_.steps_done(), data_.tokenizer().hash()}; }
    ShardedState state() {
        const bool is_first_copy = session_.topology().place().dp == 0;
        return {.parameters = session_.parameters(),
                .pieces = session_.pieces(),
                .writes_values = is_first_copy,
                .writes_moments = is_first_copy || session_.plan().zero > 0,
                .run = context_.communicator};
    }

    RunRecord close(RunState state, const std::string& reason) {
        if (leads_) { return live_->close({state, reason, static_cast<std::int64_t>(session_.memory_bytes())}); }
        RunRecord record;
        record.id = context_.id;
        record.state = state;
        record.state_reason = reason;
        return record;
    }

    const RunSpec& spec_;
    const TokenDataset& data_;
    const RunContext& context_;
    double flops_per_token_;
    std::filesystem::path folder_;
    ValidationWindows validation_;
    OperationLog operations_;
    std::unique_ptr<Watchdog> watchdog_;
    TrainingSession session_;
    bool leads_;
    std::optional<LiveRun> live_;
    DivergenceRule divergence_;
    double seconds_ = 0;
    Clock::time_point last_checkpoint_;
};

}  // namespace

WindowSource training_windows(const TokenDataset& data, const RunSpec& spec) {
    const WindowOrder order{data.tokens(Split::train), spec.model.context, Seed{spec.train.seed}};
    return [&data, order](std::uint64_t position, std::span<std::int32_t> window) {
        data.read(Split::train, order.first_token(position), window);
    };
}

RunRecord planned_record(const RunSpec& spec, const TokenDataset& data, const std::string& id,
                         const std::string& sweep) {
    const auto cost = estimate(spec);
    const auto windows =
        (std::max<std::uint64_t>(data.tokens(Split::train), 1) - 1) / static_cast<std::uint64_t>(spec.model.context);
    RunRecord record;
    record.id = id;
    record.sweep = sweep;
    record.name = spec.name;
    record.family = to_string(spec.model.family);
    record.attention = attention_name(spec.model.attention);
    record.layers = spec.model.layers;
    record.width = spec.model.width;
    record.heads = spec.model.heads;
    record.kv_heads = spec.model.kv_heads;
    record.head_dim = spec.model.head_dim;
    record.mlp_width = spec.model.mlp_width;
    record.context = spec.model.context;
    record.vocab = spec.model.vocab;
    record.total_params = cost.parameters.total;
    record.embedding_params = cost.parameters.embedding;
    record.head_params = cost.parameters.head;
    record.non_embedding_params = cost.parameters.non_embedding();
    record.tokens = spec.train.tokens;
    record.unique_tokens = std::min(spec.train.tokens, static_cast<std::int64_t>(windows) * spec.model.context);
    record.flops_per_token = cost.flops_per_token;
    record.flops = cost.flops(spec);
    record.flops_6nd = cost.flops_6nd(spec);
    record.batch_tokens = spec.train.batch_tokens;
    record.seed = static_cast<std::int64_t>(spec.train.seed);
    record.lr = spec.train.optimizer.lr;
    record.parameterization = to_string(spec.train.parameterization);
    record.planned_steps = total_steps(spec);
    record.dp = spec.layout.dp;
    record.tp = spec.layout.tp;
    record.pp = spec.layout.pp;
    record.data_hash = data.hash();
    record.code_version = code_version();
    record.spec = to_json(spec);
    return record;
}

RunRecord train_run(const RunSpec& spec, const TokenDataset& data, const RunContext& context) {
    require_trainable(spec);
    auto plan = planned_record(spec, data, context.id, context.sweep);
    const double flops_per_token = plan.flops_per_token.value();
    RunLoop loop{spec, data, context, flops_per_token};  // first: a spec that cannot run leaves no folder behind
    if (loop.leads()) {
        store_tokenizer(context.registry, data.tokenizer());
        if (!run_folder_exists(context.registry, context.id)) {
            create_run_folder(context.registry, std::move(plan), context.environment);
        }
    }
    return loop.run();
}

TokenDataset open_data(const DataSpec& data) {
    return data.is_synthetic() ? TokenDataset::synthetic(data.synthetic.documents, Seed{data.synthetic.seed})
                               : TokenDataset::open(data.path);
}

}  // namespace loglog
