#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/loglog/option_checks.hpp"
#include "apps/loglog/progress_line.hpp"
#include "apps/loglog/stop_signal.hpp"
#include "apps/loglog/verbs.hpp"
#include "db/registry/registry.hpp"
#include "distributed/mpi/broadcast.hpp"
#include "distributed/mpi/session.hpp"
#include "engine/base/error.hpp"
#include "engine/measure/ceilings.hpp"
#include "experiments/run/environment.hpp"
#include "experiments/run/estimate.hpp"
#include "experiments/run/parallel_plan.hpp"
#include "experiments/run/performance_model.hpp"
#include "experiments/run/run_folder.hpp"
#include "experiments/run/trainer.hpp"
#include "experiments/spec/load.hpp"
#include "experiments/spec/notes.hpp"
#include "sweeps/launch/launcher.hpp"
#include "sweeps/scheduler/run_lock.hpp"

namespace loglog {
namespace {

using nlohmann::json;

struct TrainOptions {
    std::string spec;
    std::vector<std::string> overrides;
    std::string registry;
    double stuck_after = 300;
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
    const auto layout = predict_layout(spec, Machine{});  // what a rank holds and sends is the same on any machine
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
                          {"layout", to_string(layout_of(spec))},
                          {"ranks", spec.layout.ranks()},
                          {"rank_memory_bytes", layout.memory_bytes},
                          {"bytes_per_rank", layout.bytes_per_rank},
                          {"notes", notes(spec)},
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
    if (spec.layout.ranks() > 1) {
        fmt::print("layout           {:>15} (dp x tp x pp): {:.1f} MiB a rank, {:.1f} MiB sent by a rank in a step\n",
                   to_string(layout_of(spec)), layout.memory_bytes / (1 << 20), layout.bytes_per_rank / (1 << 20));
    }
    for (const std::string& note : notes(spec)) { fmt::print("note: {}\n", note); }
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

/// Throws InputError unless the processes that were started are what the layout needs.
void check_ranks(const RunSpec& spec, const Launch& launch, bool launched) {
    const auto layout = layout_of(spec);
    const int started = launched ? launch.ranks : 1;
    if (started == layout.ranks()) { return; }
    throw InputError{
        fmt::format("layout {} (dp x tp x pp) needs {} rank{} but there {} {}: start it with mpirun -n {}, or "
                    "set layout.dp, layout.tp and layout.pp",
                    to_string(layout), layout.ranks(), layout.ranks() == 1 ? "" : "s", started == 1 ? "is" : "are",
                    started, layout.ranks())};
}

/// What the first rank decides before a run: its id, and whether there is anything to do.
class Start {
  public:
    Start(const TrainOptions& options, const RunSpec& spec, const TokenDataset& data, const std::string& registry)
        : id_{choose_id(spec, data, registry, options.again)},
          known_{finished_run(registry, id_)},
          lock_{known_ ? std::nullopt : RunLock::try_acquire(registry, id_)} {
        if (known_ || lock_) { return; }
        throw Error{fmt::format(
            "run {} is being trained by another process; wait for it, or repeat the run with --again", id_)};
    }
    const std::string& id() const noexcept { return id_; }
    const std::optional<RunRecord>& known() const noexcept { return known_; }

  private:
    std::string id_;
    std::optional<RunRecord> known_;
    std::optional<RunLock> lock_;
};

RunContext make_context(const RunSpec& spec, const std::string& registry, const Launch& launch, Program& program) {
    RunContext context;
    context.registry = registry;
    context.threads = spec.train.threads > 0 ? static_cast<int>(spec.train.threads) : threads_per_rank(launch);
    context.environment = capture_environment(program.argc, program.argv, {{"mpi", mpi_library_version()}});
    context.peak_flops = measured_fma_peak(context.threads);
    context.stop = &watch_stop_signals();
    return context;
}

void announce(const RunSpec& spec, const RunContext& context) {
    fmt::print(stderr, "run {}: {} layers, width {}, {} tokens, {}{} thread{}\n", context.id, spec.model.layers,
               spec.model.width, spec.train.tokens,
               spec.layout.ranks() > 1 ? fmt::format("layout {}, ", to_string(layout_of(spec))) : "", context.threads,
               context.threads == 1 ? "" : "s a rank");
}

/// What the rank that wrote the run's folder says of it.
void conclude(const RunRecord& record, const std::string& registry, bool as_json) {
    Registry::open(registry, Access::write).upsert(record);
    print_result(record, as_json);
    if (record.state == RunState::stopped) {
        fmt::print(stderr, "stopped; the same command goes on from step {}\n", record.steps.value_or(0));
    }
}

int exit_status_of(RunState state) {
    if (state == RunState::ok) { return 0; }
    return state == RunState::stopped ? exit_code(ErrorKind::interrupted) : 3;
}

/// Trains on all ranks of `world`; null: in this process alone.
void train_here(const TrainOptions& options, const RunSpec& spec, const TokenDataset& data, const Launch& launch,
                const Communicator* world, Program& program) {
    const auto registry_path = registry_folder(options.registry);
    const bool leads = world == nullptr || world->rank() == 0;
    std::optional<Start> start;
    if (leads) { start.emplace(options, spec, data, registry_path); }
    std::string id = leads && !start->known() ? start->id() : "";
    if (world != nullptr) { id = broadcast_text(*world, id); }
    if (id.empty()) {
        if (!leads) { return; }
        fmt::print(stderr, "run {} with the same spec, data and code is there already (--again repeats it)\n",
                   start->id());
        return print_result(*start->known(), options.json);
    }

    RunContext context = make_context(spec, registry_path, launch, program);
    context.id = id;
    context.communicator = world;
    context.stuck_seconds = options.stuck_after;
    RunRecord record;
    {
        const auto reporter = std::make_shared<RunReporter>(spec.train.batch_tokens);
        if (leads) {
            announce(spec, context);
            context.on_step = [reporter](const RunProgress& progress) { (*reporter)(progress); };
        }
        record = train_run(spec, data, context);
    }
    if (leads) { conclude(record, registry_path, options.json); }
    program.exit_status = exit_status_of(record.state);
}

void train(const TrainOptions& options, Program& program) {
    const auto unresolved = load_run_spec(options.spec, options.overrides);
    const auto spec = resolve(unresolved, data_vocab(unresolved, options.dry_run));
    if (options.dry_run) { return print_dry_run(spec, options.json); }
    require_trainable(spec);
    static_cast<void>(parallel_plan(spec));  // refuses a layout that cannot be
    const Launch launch = detect_launch();
    const bool launched = started_by_launcher();
    check_ranks(spec, launch, launched);

    const auto data = open_data(spec.data);
    if (!launched) { return train_here(options, spec, data, launch, nullptr, program); }
    const MpiSession session;
    try {
        const Communicator world = Communicator::world();
        train_here(options, spec, data, launch, world.size() > 1 ? &world : nullptr, program);
    } catch (const Error& error) {
        // The other ranks wait for this one, which knows why it cannot go on.
        MpiSession::abort(error.what(), exit_code(error.kind()));
    } catch (const std::exception& error) { MpiSession::abort(error.what(), 1); }
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
    verb->add_option("--stuck-after", options->stuck_after,
                     "Seconds that a rank may wait for another before the job ends and the stuck rank is named")
        ->check(positive_number());
    verb->add_flag("--dry-run", options->dry_run, "Print what it would cost; train nothing");
    verb->add_flag("--again", options->again, "Train even if an identical run is there");
    verb->add_flag("--json", options->json, "Print the result as JSON");
    verb->callback([options, &program] { train(*options, program); });
}

}  // namespace loglog
