#include "experiments/run/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <numbers>
#include <optional>
#include <utility>

#include "distributed/mpi/barrier.hpp"
#include "distributed/mpi/watchdog.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/checkpoint.hpp"
#include "experiments/run/curves.hpp"
#include "experiments/run/divergence.hpp"
#include "experiments/run/environment.hpp"
#include "experiments/run/estimate.hpp"
#include "experiments/run/run_folder.hpp"
#include "experiments/run/trained_model.hpp"
#include "experiments/run/training_session.hpp"
#include "experiments/spec/probe_settings.hpp"

namespace loglog {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

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

/// Tokens whose loss a run is to be trained on, and how many different ones; of a probe, targets.
struct TrainedTokens {
    std::int64_t all = 0;
    std::int64_t distinct = 0;
};

TrainedTokens trained_tokens(const RunSpec& spec, const TokenDataset& data) {
    const auto context = spec.model.context;
    if (spec.data.is_probe()) {
        const double labels = labels_per_sequence(spec);
        const auto sequences = spec.train.tokens / context;
        const auto different = std::min(sequences, spec.data.probe.examples);
        return {std::llround(labels * static_cast<double>(sequences)),
                std::llround(labels * static_cast<double>(different))};
    }
    const auto windows =
        (std::max<std::uint64_t>(data.tokens(Split::train), 1) - 1) / static_cast<std::uint64_t>(context);
    return {spec.train.tokens, std::min(spec.train.tokens, static_cast<std::int64_t>(windows) * context)};
}

/// One run being trained: ties the session to its journal, checkpoints and stop signals. With several ranks, the first
/// one leads: it alone writes the folder's files (all write their parts of checkpoints). What happens next follows on
/// every rank from what a step told all of them.
class RunLoop {
  public:
    /// `flops_per_token`: of every token, with a target or not.
    RunLoop(const RunSpec& spec, const TokenDataset& data, const RunContext& context, double flops_per_token)
        : spec_{spec},
          data_{data},
          context_{context},
          flops_per_token_{flops_per_token},
          folder_{run_folder(context.registry, context.id)},
          validation_{evaluation_windows(data, spec)},
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
            tokens_ = line.tokens;
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
            const bool good_enough = (done % spec_.train.eval_every == 0 || done == steps) && evaluate();
            if (done == steps || good_enough) { break; }
            if (result.stop_requested) { return stop(); }
            if (result.checkpoint_requested || checkpoint_is_due_at(done)) { save(); }
        }
        save_weights(weights_file(folder_), state(), label());
        const bool ended_early = session_.steps_done() < steps;
        const auto record = close(
            RunState::ok, ended_early ? fmt::format("reached data.probe.stop_at = {}", spec_.data.probe.stop_at) : "");
        if (leads_) { remove_checkpoints(folder_, keep_rules()); }
        return record;
    }

    StepResult step() {
        const auto start = Clock::now();
        const auto result = session_.step({.stop = is_asked_to_stop(), .checkpoint = checkpoint_is_overdue()});
        const double seconds = seconds_since(start);
        seconds_ += seconds;
        tokens_ += result.labels;
        if (!leads_) { return result; }

        const auto done = session_.steps_done();
        const auto batch_tokens = static_cast<double>(spec_.train.batch_tokens);
        const double peak_flops = context_.peak_flops * static_cast<double>(spec_.layout.ranks());
        StepLine line;
        line.step = done;
        line.loss = result.loss;
        line.lr = result.lr;
        line.grad_norm = result.gradient_norm;
        line.tokens = tokens_;
        line.flops = flops_per_token_ * static_cast<double>(done * spec_.train.batch_tokens);
        line.seconds = seconds_;
        line.tokens_per_second = static_cast<double>(result.labels) / seconds;
        line.share_of_peak = peak_flops > 0 ? flops_per_token_ * batch_tokens / seconds / peak_flops : 0;
        line.clipped = result.clipped;
        line.noise_scale = result.noise_scale.value_or(0);
        live_->journal().write(line);
        if (context_.on_step) { context_.on_step({done, total_steps(spec_), result.loss, batch_tokens / seconds}); }
        return result;
    }

    /// Whether the accuracy that a probe's run is to end at is reached, which all ranks find alike.
    bool evaluate() {
        auto evaluation = session_.evaluate(validation_.source, validation_.count, validation_.recall);
        const double stop_at = spec_.data.probe.stop_at;
        const bool good_enough = stop_at > 0 && evaluation.accuracy.value_or(0) >= stop_at;
        if (!leads_) { return good_enough; }
        const double bytes_per_token = data_.bytes_per_token(Split::validation);
        EvalLine line;
        line.step = session_.steps_done();
        line.tokens = tokens_;
        line.val_loss = evaluation.loss;
        line.bits_per_byte = bytes_per_token > 0 ? evaluation.loss / std::numbers::ln2 / bytes_per_token
                                                 : std::numeric_limits<double>::quiet_NaN();
        line.perplexity = std::exp(evaluation.loss);
        line.loss_by_position = std::move(evaluation.loss_by_position);
        line.accuracy = evaluation.accuracy;
        line.string_accuracy = evaluation.string_accuracy;
        line.by_length = std::move(evaluation.by_length);
        line.recall_loss = evaluation.recall_loss;
        if (!validation_.recall.empty()) { line.recall_share = evaluation.recall_share; }
        live_->journal().write(line);
        return good_enough;
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
    EvaluationWindows validation_;
    OperationLog operations_;
    std::unique_ptr<Watchdog> watchdog_;
    TrainingSession session_;
    bool leads_;
    std::optional<LiveRun> live_;
    DivergenceRule divergence_;
    double seconds_ = 0;
    std::int64_t tokens_ = 0;  // whose loss was trained on
    Clock::time_point last_checkpoint_;
};

}  // namespace

RunRecord planned_record(const RunSpec& spec, const TokenDataset& data, const std::string& id,
                         const std::string& sweep) {
    const auto cost = estimate(spec);
    const TrainedTokens tokens = trained_tokens(spec, data);
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
    record.tokens = tokens.all;
    record.unique_tokens = tokens.distinct;
    record.flops_per_token =
        spec.data.is_probe() ? cost.flops(spec) / static_cast<double>(tokens.all) : cost.flops_per_token;
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
    const double flops_per_token = spec.data.is_probe() ? plan.flops.value() / static_cast<double>(spec.train.tokens)
                                                        : plan.flops_per_token.value();
    RunLoop loop{spec, data, context, flops_per_token};  // first: a spec that cannot run leaves no folder behind
    if (loop.leads()) {
        store_tokenizer(context.registry, data.tokenizer());
        if (!run_folder_exists(context.registry, context.id)) {
            create_run_folder(context.registry, std::move(plan), context.environment);
        }
    }
    return loop.run();
}

}  // namespace loglog
