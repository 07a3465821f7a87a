#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>

#include "apps/loglog/verbs.hpp"
#include "apps/loglog/version.hpp"
#include "distributed/mpi/session.hpp"
#include "engine/base/error.hpp"

namespace loglog {

std::string registry_folder(const std::string& option) {
    if (!option.empty()) { return option; }
    const char* from_environment = std::getenv("LOGLOG_REGISTRY");
    return from_environment != nullptr && *from_environment != '\0' ? from_environment : "loglog-runs";
}

namespace {

/// Ranks of one job mostly fail for the same reason (a wrong spec): the first one says so, and its exit ends the others
/// while they wait here. One that fails alone is heard a moment later.
void let_the_first_rank_speak() {
    if (launched_rank() > 0) { std::this_thread::sleep_for(std::chrono::seconds{2}); }
}

}  // namespace
}  // namespace loglog

int main(int argc, char** argv) {
    using namespace loglog;
    CLI::App app{"loglog: scaling-law research, from a compute budget to exponents with intervals", "loglog"};
    app.set_version_flag("--version", std::string{"loglog "} + version);
    app.require_subcommand(1);
    app.option_defaults()->always_capture_default();
    Program program{argc, argv, 0};
    // In the order of the help text: from data to report, then what is done with runs and machines.
    add_data_verb(app, program);
    add_train_verb(app, program);
    add_sweep_verb(app, program);
    add_probe_verb(app, program);
    add_runs_verb(app, program);
    add_fit_verb(app, program);
    add_compare_verb(app, program);
    add_report_verb(app, program);
    add_generate_verb(app, program);
    add_score_verb(app, program);
    add_verify_verb(app, program);
    add_bench_verb(app, program);
    add_doctor_verb(app, program);

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) { return app.exit(error) == 0 ? 0 : 2; } catch (const Error& error) {
        let_the_first_rank_speak();
        std::fprintf(stderr, "loglog: %s\n", error.what());
        return exit_code(error.kind());
    } catch (const std::exception& error) {
        let_the_first_rank_speak();
        std::fprintf(stderr, "loglog: %s\n", error.what());
        return 1;
    }
    return program.exit_status;
}
