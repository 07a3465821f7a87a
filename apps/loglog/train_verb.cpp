#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/loglog/progress_line.hpp"
#include "apps/loglog/stop_signal.hpp"
#include "apps/loglog/verbs.hpp"
#include "db/registry/registry.hpp"
#include "distributed/mpi/session.hpp"
#include "engine/base/cores.hpp"
#include "engine/base/error.hpp"
#include "engine/measure/ceilings.hpp"
#include "experiments/run/environment.hpp"
#include "experiments/run/estimate.hpp"
#include "experiments/run/run_folder.hpp"
#include "experiments/run/trainer.hpp"
#include "experiments/spec/load.hpp"
#include "sweeps/scheduler/run_lock.hpp"

namespace loglog {
namespace {

using nlohmann::json;

struct TrainOptions {
    std::string spec;
    std::vector<std::string> overrides;
    std::string registry;
    bool dry_run = false;
    bool again = false;
    bool json = false;
};

/// Shows a run's progress: a bar with loss, rate and time left.
class RunReporter {
  public:
    void operator()(const RunProgress& progress) {
        seconds_ += batch_tokens_ / progress.tokens_per_second;
        ++steps_;
        if (!line_.due()) { return; }
        const double left =
            seconds_ / static_cast<double>(steps_) * static_cast<double>(progress.steps - progress.step);
        line_.show(fmt::format("[{}] step {}/{}  loss {:.4f}  {:.3g} tokens/s  {} left",
                               progress_bar(static_cast<double>(progress.step) / static_cast<double>(progress.steps)),
                               progress.step, progress.steps, progress.loss, progress.tokens_per_second,
                               spell_duration(left)));
    }
    explicit RunReporter(std::int64_t batch_tokens) : batch_tokens_{static_cast<double>(batch_tokens)} {}

  private:
    ProgressLine line_;
    double batch_tokens_;
    double seconds_ = 0;
    std::int64_t steps_ = 0;
};

void print_dry_run(const RunSpec& spec, bool as_json) {
    const auto cost = estimate(spec);
    if (as_json) {
        const json result{{"parameters",
                           {{"total", cost.parameters.total},
                            {"embedding", cost.parameters.embedding},
                            {"head", cost.parameters.head},
                            {"non_embedding", cost.parameters.non_embedding()}}},
                          {"tokens", spec.train.tokens},
                          {"steps", total_steps(spec)},
                          {"flops_per_token", cost.flops_per_token},
                          {"flops_total", cost.flops(spec)},
                          {"flops_6nd", cost.flops_6nd(spec)},
                          {"memory_bytes", cost.memory_bytes},
                          {"micro_batch", cost.micro_batch},
                          {"spec", json::parse(to_json(spec))}};
        fmt::print("{}\n", result.dump(2));
        return;
    }
    fmt::print("parameters       {:>15} total, {} non-embedding, {} embedding, {} head\n", cost.parameters.total,
               cost.parameters.non_embedding(), cost.parameters.embedding, cost.parameters.head);
    fmt::print("tokens           {:>15} in {} steps of {}\n", spec.train.tokens, total_steps(spec),
               spec.train.batch_tokens);
    fmt::print("FLOPs per token  {:>15.6g} (forward and backward, counted)\n", cost.flops_per_token);
    fmt::print("FLOPs in all     {:>15.6g} (6ND by convention: {:.6g})\n", cost.flops(spec), cost.flops_6nd(spec));
    fmt::print("memory           {:>11.1f} MiB (values, gradients, moments, activations of {} sequences)\n",
               static_cast<double>(cost.memory_bytes) / (1 << 20), cost.micro_batch);
    fmt::print("nothing was trained (--dry-run)\n");
}

/// The vocabulary of the spec's data; a dry run of a spec that states its own vocabulary needs no data.
std::int64_t data_vocab(const RunSpec& spec, bool dry_run) {
    return dry_run && spec.model.vocab > 0 ? spec.model.vocab : open_data(spec.data).vocab_size();
}

/// The id to train under; with `again` the first repetition that does not exist yet.
std::string choose_id(const RunSpec& spec, const TokenDataset& data, const std::string& registry, bool again) {
    std::int64_t repeat = 1;
    std::string id = run_id(spec, data.hash(), code_version(), repeat);
    while (again && run_folder_exists(registry, id)) { id = run_id(spec, data.hash(), code_version(), ++repeat); }
    return id;
}

void print_result(const RunRecord& record, bool as_json) {
    if (as_json) {
        fmt::print("{}\n", json::parse(to_json(record)).dump(2));
        return;
    }
    fmt::print("run {}: {}{}{}\n", record.id, to_text(record.state), record.state_reason.empty() ? "" : ", ",
               record.state_reason);
    fmt::print("steps {}  tokens {}  FLOPs {:.4g}\n", record.steps.value_or(0), record.tokens.value_or(0),
               record.flops.value_or(0));
    if (record.final_val_loss) {
        fmt::print("validation loss {:.4f} nats per token, {:.4f} bits per byte\n", *record.final_val_loss,
                   record.bits_per_byte.value_or(0));
    }
    if (record.tokens_per_second) {
        fmt::print("{:.4g} tokens/s, {:.1f}% of the FMA peak\n", *record.tokens_per_second,
                   100 * record.share_of_peak.value_or(0));
    }
}

/// A finished run of the same spec, data and code, if the registry's folders hold one.
std::optional<RunRecord> finished_run(const std::string& registry, const std::string& id) {
    if (!run_folder_exists(registry, id)) { return std::nullopt; }
    const auto record = record_from_folder(run_folder(registry, id));
    return record.state == RunState::ok || record.state == RunState::diverged ? std::optional{record} : std::nullopt;
}

void train(const TrainOptions& options, Program& program) {
    const auto unresolved = load_run_spec(options.spec, options.overrides);
    const auto spec = resolve(unresolved, data_vocab(unresolved, options.dry_run));
    if (options.dry_run) { return print_dry_run(spec, options.json); }
    require_trainable(spec);

    const auto data = open_data(spec.data);
    const auto registry_path = registry_folder(options.registry);
    const auto id = choose_id(spec, data, registry_path, options.again);
    if (const auto known = finished_run(registry_path, id)) {
        fmt::print(stderr, "run {} with the same spec, data and code is there already (--again repeats it)\n", id);
        return print_result(*known, options.json);
    }

    const auto lock = RunLock::try_acquire(registry_path, id);
    if (!lock) {
        throw Error{
            fmt::format("run {} is being trained by another process; wait for it, or repeat the run with --again", id)};
    }

    RunContext context;
    context.registry = registry_path;
    context.id = id;
    context.threads = spec.train.threads > 0 ? static_cast<int>(spec.train.threads) : usable_cores();
    context.environment = capture_environment(program.argc, program.argv, {{"mpi", mpi_library_version()}});
    context.peak_flops = measured_fma_peak(context.threads);
    context.stop = &watch_stop_signals();
    fmt::print(stderr, "run {}: {} layers, width {}, {} tokens, {} thread{}\n", id, spec.model.layers, spec.model.width,
               spec.train.tokens, context.threads, context.threads == 1 ? "" : "s");
    RunRecord record;
    {
        auto reporter = std::make_shared<RunReporter>(spec.train.batch_tokens);
        context.on_step = [reporter](const RunProgress& progress) { (*reporter)(progress); };
        record = train_run(spec, data, context);
    }
    Registry::open(registry_path, Access::write).upsert(record);
    print_result(record, options.json);
    if (record.state == RunState::stopped) {
        fmt::print(stderr, "stopped; the same command goes on from step {}\n", record.steps.value_or(0));
        program.exit_status = exit_code(ErrorKind::interrupted);
    } else if (record.state != RunState::ok) {
        program.exit_status = 3;
    }
}

}  // namespace

void add_train_verb(CLI::App& app, Program& program) {
    auto options = std::make_shared<TrainOptions>();
    auto* verb = app.add_subcommand("train", "Train one run, or go on with it");
    verb->add_option("spec", options->spec, "TOML file that describes the run")->required();
    verb->add_option("--set", options->overrides, "Override a key: --set model.width=256 (repeatable)")
        ->allow_extra_args(false);
    verb->add_option("--registry", options->registry,
                     "Folder of the runs (default: $LOGLOG_REGISTRY, else ./loglog-runs)");
    verb->add_flag("--dry-run", options->dry_run, "Print what it would cost; train nothing");
    verb->add_flag("--again", options->again, "Train even if an identical run is there");
    verb->add_flag("--json", options->json, "Print the result as JSON");
    verb->callback([options, &program] { train(*options, program); });
}

}  // namespace loglog
