#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "apps/loglog/progress_line.hpp"
#include "apps/loglog/verbs.hpp"
#include "distributed/mpi/barrier.hpp"
#include "distributed/mpi/session.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/layout_trial.hpp"
#include "experiments/run/trainer.hpp"
#include "experiments/spec/load.hpp"
#include "sweeps/launch/launcher.hpp"

namespace loglog {
namespace {

struct VerifyOptions {
    std::string spec;
    std::vector<std::string> layouts{"1x1x1", "2x1x1", "1x2x1", "1x1x2"};
    std::string schedule;
    std::string reduction;
    std::vector<std::string> overrides;
    int steps = 10;
    bool json = false;
};

struct Verification {
    RunSpec spec;  ///< resolved, with the micro-batch that all layouts share
    std::vector<Layout> layouts;
    int ranks = 1;  ///< of the largest layout
};

Verification prepare(const VerifyOptions& options, const TokenDataset& data, const RunSpec& unresolved) {
    Verification verification;
    for (const auto& text : options.layouts) { verification.layouts.push_back(parse_layout(text)); }
    for (const auto& layout : verification.layouts) {
        verification.ranks = std::max(verification.ranks, layout.ranks());
    }
    verification.spec = resolve(unresolved, data.vocab_size());
    require_trainable(verification.spec);
    verification.spec.train.micro_batch = common_micro_batch(verification.spec, verification.layouts);
    return verification;
}

/// Becomes mpirun with as many ranks of this program and the same arguments.
[[noreturn]] void become_mpirun(int ranks, const Program& program) {
    std::vector<std::string> words{"mpirun", "-n", std::to_string(ranks),
                                   std::filesystem::read_symlink("/proc/self/exe").string()};
    words.insert(words.end(), program.argv + 1, program.argv + program.argc);
    std::vector<char*> arguments;
    for (auto& word : words) { arguments.push_back(word.data()); }
    arguments.push_back(nullptr);
    // What is verified are results, not speed: more ranks than cores are welcome. Other MPIs allow them anyway.
    setenv("OMPI_MCA_rmaps_base_oversubscribe", "1", 0);
    execvp("mpirun", arguments.data());
    throw Error{fmt::format("these layouts need {} ranks, but mpirun cannot be started: {} (is it in PATH?)", ranks,
                            std::strerror(errno))};
}

std::vector<LayoutTrial> run_trials(const Verification& verification, const WindowSource& windows, int steps,
                                    int threads, const Communicator* world) {
    std::vector<LayoutTrial> trials;
    ProgressLine line;
    for (const Layout& layout : verification.layouts) {
        const RunSpec spec = with_layout(verification.spec, layout);
        const bool leads = world == nullptr || world->rank() == 0;
        if (leads) { line.show(fmt::format("training {} steps under {}", steps, to_string(layout))); }
        if (layout.ranks() == 1) {
            if (leads) { trials.push_back(try_layout(spec, windows, steps, threads, nullptr)); }
        } else if (world->rank() < layout.ranks()) {
            std::vector<int> members(static_cast<std::size_t>(layout.ranks()));
            for (std::size_t i = 0; i < members.size(); ++i) { members[i] = static_cast<int>(i); }
            const Communicator group = world->create_group(members, 0);
            trials.push_back(try_layout(spec, windows, steps, threads, &group));
        }
        // The others wait here without keeping a core busy.
        if (world != nullptr) { wait_for_all(*world); }
    }
    return trials;
}

nlohmann::ordered_json to_json(const LayoutTrial& trial, const LayoutDifference& difference) {
    return {{"layout", to_string(trial.layout)},
            {"loss_difference", difference.loss},
            {"grad_norm_difference", difference.gradient_norm},
            {"same_parameters", difference.same_parameters},
            {"within_promise", difference.within_promise},
            {"step_seconds", trial.step_seconds},
            {"waiting_seconds", trial.waiting_seconds},
            {"bubble", trial.bubble},
            {"formula_bubble", trial.formula_bubble},
            {"bytes_per_rank", trial.bytes_per_rank},
            {"memory_bytes", trial.memory_bytes},
            {"parameter_hash", trial.parameter_hash},
            {"losses", trial.losses},
            {"grad_norms", trial.gradient_norms}};
}

/// Whether every layout is within its promise of the first.
bool print_trials(const Verification& verification, const std::vector<LayoutTrial>& trials, bool as_json) {
    const Reduction reduction = verification.spec.layout.reduction;
    nlohmann::ordered_json layouts = nlohmann::ordered_json::array();
    bool kept = true;
    if (!as_json) {
        fmt::print("{:<12} {:>9} {:>9} {:>10} {:>8} {:>8} {:>16} {:>12} {:>12}\n", "dp x tp x pp", "loss diff",
                   "norm diff", "parameters", "s/step", "waiting", "bubble (formula)", "sent/rank", "memory/rank");
    }
    for (const auto& trial : trials) {
        const auto difference = compare(trials.front(), trial, reduction);
        kept = kept && difference.within_promise;
        if (as_json) {
            layouts.push_back(to_json(trial, difference));
            continue;
        }
        fmt::print(
            "{:<12} {:>9.1e} {:>9.1e} {:>10} {:>8.4f} {:>7.1f}% {:>7.1f}% ({:>4.1f}%) {:>8.2f} MiB {:>8.1f} MiB{}\n",
            to_string(trial.layout), difference.loss, difference.gradient_norm,
            difference.same_parameters ? "same" : "differ", trial.step_seconds,
            100 * trial.waiting_seconds / trial.step_seconds, 100 * trial.bubble, 100 * trial.formula_bubble,
            trial.bytes_per_rank / (1 << 20), trial.memory_bytes / (1 << 20),
            difference.within_promise ? "" : "  BEYOND THE PROMISE");
    }
    if (as_json) {
        const nlohmann::ordered_json result{{"steps", trials.front().losses.size()},
                                            {"reduction", to_string(reduction)},
                                            {"schedule", to_string(verification.spec.layout.schedule)},
                                            {"micro_batch", verification.spec.train.micro_batch},
                                            {"within_promise", kept},
                                            {"layouts", layouts}};
        fmt::print("{}\n", result.dump(2));
    } else if (reduction == Reduction::tree) {
        fmt::print("tree reductions promise the same bits: {}\n", kept ? "kept" : "BROKEN");
    } else {
        fmt::print("fast reductions promise losses within 1e-5 of {} at step 1 and 1e-4 at step 10: {}\n",
                   to_string(trials.front().layout), kept ? "kept" : "BROKEN");
    }
    return kept;
}

void verify_layout(const VerifyOptions& options, Program& program) {
    auto overrides = options.overrides;
    if (!options.schedule.empty()) { overrides.push_back("layout.schedule=" + options.schedule); }
    if (!options.reduction.empty()) { overrides.push_back("layout.reduction=" + options.reduction); }
    const auto unresolved = load_run_spec(options.spec, overrides);
    const auto data = open_data(unresolved.data);
    const auto verification = prepare(options, data, unresolved);
    const auto windows = training_windows(data, verification.spec);

    if (!started_by_launcher()) {
        if (verification.ranks > 1) { become_mpirun(verification.ranks, program); }
        const int threads = std::max<int>(1, static_cast<int>(verification.spec.train.threads));
        const auto trials = run_trials(verification, windows, options.steps, threads, nullptr);
        program.exit_status = print_trials(verification, trials, options.json) ? 0 : 1;
        return;
    }
    const MpiSession session;
    const Communicator world = Communicator::world();
    if (world.size() < verification.ranks) {
        throw InputError{fmt::format("the largest layout needs {} ranks but there are {} (mpirun -n {})",
                                     verification.ranks, world.size(), verification.ranks)};
    }
    // One thread a rank unless the run says otherwise: what is verified does not depend on threads, and ranks may share
    // cores here.
    const int threads = std::max<int>(1, static_cast<int>(verification.spec.train.threads));
    const auto trials = run_trials(verification, windows, options.steps, threads, &world);
    if (world.rank() == 0) { program.exit_status = print_trials(verification, trials, options.json) ? 0 : 1; }
}

}  // namespace

void add_verify_verb(CLI::App& app, Program& program) {
    auto* verb = app.add_subcommand("verify", "Check that results do not depend on how a run is spread over ranks");
    verb->require_subcommand(1);
    auto options = std::make_shared<VerifyOptions>();
    auto* layout = verb->add_subcommand(
        "layout", "Train the same few steps under each dp x tp x pp layout; exit 1 if one differs beyond its promise");
    layout->add_option("spec", options->spec, "TOML file that describes the run")->required();
    layout->add_option("--layouts", options->layouts, "Layouts, the first is what the others are compared with")
        ->delimiter(',');
    layout->add_option("--schedule", options->schedule, "Of pipelines: gpipe, 1f1b, interleaved or zb-h1");
    layout->add_option("--reduction", options->reduction,
                       "fast: within tolerances; tree: the same bits in every layout");
    layout->add_option("--steps", options->steps, "Steps to train")->check(CLI::PositiveNumber);
    layout->add_option("--set", options->overrides, "Override a key: --set model.width=256 (repeatable)")
        ->allow_extra_args(false);
    layout->add_flag("--json", options->json, "Print the result as JSON");
    layout->callback([options, &program] { verify_layout(*options, program); });
}

}  // namespace loglog
