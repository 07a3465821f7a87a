#pragma once

#include <string>

namespace CLI {
class App;
}

namespace loglog {

/// What every verb shares. A verb's callback does the work, prints results to stdout and sets `exit_status` where the
/// work ended otherwise than well without an exception (3: some runs failed or diverged). Failures are thrown.
struct Program {
    int argc = 0;
    char** argv = nullptr;
    int exit_status = 0;
};

// One file a verb: <verb>_verb.cpp. Each adds its subcommand, options and callback.
void add_data_verb(CLI::App& app, Program& program);
void add_train_verb(CLI::App& app, Program& program);
void add_sweep_verb(CLI::App& app, Program& program);
void add_probe_verb(CLI::App& app, Program& program);
void add_runs_verb(CLI::App& app, Program& program);
void add_fit_verb(CLI::App& app, Program& program);
void add_compare_verb(CLI::App& app, Program& program);
void add_report_verb(CLI::App& app, Program& program);
void add_generate_verb(CLI::App& app, Program& program);
void add_score_verb(CLI::App& app, Program& program);
void add_verify_verb(CLI::App& app, Program& program);
void add_bench_verb(CLI::App& app, Program& program);
void add_doctor_verb(CLI::App& app, Program& program);

/// The folder that holds registry.sqlite and runs/: `--registry`, else $LOGLOG_REGISTRY, else ./loglog-runs.
std::string registry_folder(const std::string& option);

}  // namespace loglog
