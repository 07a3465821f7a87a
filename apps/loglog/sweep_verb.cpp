#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "apps/loglog/sweep_advise.hpp"
#include "apps/loglog/sweep_options.hpp"
#include "apps/loglog/verbs.hpp"

namespace loglog {
namespace {

using Options = std::shared_ptr<SweepOptions>;

CLI::App* add_command(CLI::App& sweep, const Options& options, const char* name, const char* help,
                      const std::function<void()>& work) {
    CLI::App* command = sweep.add_subcommand(name, help);
    command->add_option("file", options->file, "TOML file that describes the sweep")->required();
    command->add_option("--set", options->overrides, "Override a key: --set train.batch_tokens=4096 (repeatable)")
        ->allow_extra_args(false);
    command->callback(work);
    return command;
}

void add_registry(CLI::App* command, const Options& options) {
    command->add_option("--registry", options->registry,
                        "Folder of the runs (default: $LOGLOG_REGISTRY, else ./loglog-runs)");
}

void add_force(CLI::App* command, const Options& options) {
    command->add_flag("--force", options->force, "Go on although the sweep cannot identify an exponent");
}

void add_run_options(CLI::App* command, const Options& options) {
    add_registry(command, options);
    add_force(command, options);
    command->add_flag("--json", options->json, "Print the summary as JSON");
    command->add_option("--stop-after", options->stop_after,
                        "Seconds after which runs are checkpointed and the sweep stops, for a walltime (0: never)");
}

}  // namespace

void add_sweep_verb(CLI::App& app, Program& program) {
    const Options options = std::make_shared<SweepOptions>();
    CLI::App* sweep = app.add_subcommand("sweep", "Plan and train many runs: under mpirun, one on each rank");
    sweep->require_subcommand(1);

    CLI::App* plan = add_command(*sweep, options, "plan", "Print every run and what it costs; train nothing",
                                 [options] { print_plan(*options); });
    add_registry(plan, options);
    add_force(plan, options);
    plan->add_flag("--json", options->json, "Print the plan as JSON");
    plan->add_option("--ranks", options->ranks, "Ranks that the predicted time is for (0: this machine's cores)");
    plan->add_option("--cluster", options->cluster,
                     "TOML file of a cluster, real or not, to predict times, bubbles and messages for");
    plan->add_flag("!--no-calibration", options->calibrate, "Do not measure this machine: no times are predicted");

    add_run_options(add_command(*sweep, options, "run", "Train what is not trained yet; again after a stop: go on",
                                [options, &program] { run_sweep(*options, program); }),
                    options);
    add_run_options(add_command(*sweep, options, "resume", "The same as run, which goes on where it stopped",
                                [options, &program] { run_sweep(*options, program); }),
                    options);

    CLI::App* status = add_command(*sweep, options, "status", "Print how far a sweep is, while it runs or afterwards",
                                   [options] { print_status(*options); });
    add_registry(status, options);
    status->add_flag("--json", options->json, "Print the status as JSON");

    CLI::App* cancel = add_command(*sweep, options, "cancel", "Ask a running sweep to checkpoint its runs and stop",
                                   [options] { cancel_sweep(*options); });
    add_registry(cancel, options);

    add_advise_verb(*sweep);
}

}  // namespace loglog
