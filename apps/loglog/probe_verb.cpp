#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

#include "apps/loglog/probe_grid.hpp"
#include "apps/loglog/sweep_options.hpp"
#include "apps/loglog/verbs.hpp"
#include "db/files/publish.hpp"
#include "db/registry/registry.hpp"
#include "distributed/mpi/session.hpp"
#include "engine/base/error.hpp"
#include "engine/models/state_size.hpp"
#include "experiments/run/curves.hpp"
#include "experiments/run/environment.hpp"
#include "experiments/run/estimate.hpp"
#include "experiments/run/run_folder.hpp"
#include "experiments/spec/enum_names.hpp"
#include "sweeps/plan/plan.hpp"
#include "sweeps/space/sweep_spec.hpp"

namespace loglog {
namespace {

struct ProbeOptions {
    std::vector<std::string> attentions{"dense"};
    std::string task = "mqar";
    std::string grid = "small";
    std::vector<std::string> overrides;
    std::string registry;
    double stop_after = 0;
    bool json = false;
};

/// One run and what came of it.
struct ProbeResult {
    RunSpec spec;
    RunRecord record;
    EvalLine last;
    std::optional<std::int64_t> examples_to_99;
};

ProbeGrid grid_of(const ProbeOptions& options) {
    ProbeGrid grid{.attentions = options.attentions};
    for (const auto& [task, name] : EnumNames<ProbeTask>::values) {
        if (name == options.task) { grid.task = task; }
    }
    grid.size = options.grid == "full" ? GridSize::full : GridSize::small;
    return grid;
}

/// Floats that a sequence leaves behind for the next token, of all layers: keys and values seen, or the state.
std::int64_t state_floats(const RunSpec& spec) { return state_elements(decoder_config(spec), spec.model.context); }

std::optional<std::int64_t> examples_to(double accuracy, const Curves& curves, const RunSpec& spec) {
    for (const EvalLine& line : curves.eval) {
        if (line.accuracy.value_or(0) >= accuracy) {
            return line.step * (spec.train.batch_tokens / spec.model.context);
        }
    }
    return std::nullopt;
}

/// Runs of the sweep that have been evaluated.
std::vector<ProbeResult> results_of(const SweepOptions& options) {
    const std::filesystem::path folder = registry_folder(options.registry);
    DataShelf shelf{OpenCheck::sizes_only};
    const Plan plan = make_plan(
        load_sweep_spec(options.file, options.overrides),
        [&](const RunSpec& spec) { return std::int64_t{shelf.get(spec.data).vocab_size()}; },
        [&](const RunSpec& spec) { return run_id(spec, shelf.get(spec.data).hash(), code_version()); });
    const Registry registry = Registry::open(folder, Access::read);
    std::vector<ProbeResult> results;
    for (const PlannedRun& run : plan.runs) {
        auto record = registry.find(run.id);
        if (!record || !run_folder_exists(folder, run.id)) { continue; }
        const Curves curves = read_curves(run_folder(folder, run.id));
        if (curves.eval.empty()) { continue; }
        results.push_back({run.spec, std::move(*record), curves.eval.back(), examples_to(0.99, curves, run.spec)});
    }
    return results;
}

bool is_better(const ProbeResult& a, const ProbeResult& b) {
    static constexpr auto never = std::numeric_limits<std::int64_t>::max();
    const auto rank = [](const ProbeResult& r) {
        return std::tuple{-r.last.accuracy.value_or(0), r.examples_to_99.value_or(never), r.last.val_loss};
    };
    return rank(a) < rank(b);
}

/// What is compared: everything but the learning rate.
std::vector<ProbeResult> best_over_learning_rates(std::vector<ProbeResult> results) {
    const auto key_of = [](const ProbeResult& r) {
        return std::tuple{r.spec.model.context, r.spec.data.probe.size, r.spec.model.width,
                          attention_name(r.spec.model.attention), r.spec.train.seed};
    };
    std::map<decltype(key_of(results.front())), ProbeResult> best;
    for (ProbeResult& result : results) {
        const auto [known, is_new] = best.try_emplace(key_of(result), result);
        if (!is_new && is_better(result, known->second)) { known->second = result; }
    }
    std::vector<ProbeResult> rows;
    for (auto& [key, result] : best) { rows.push_back(std::move(result)); }
    std::stable_sort(rows.begin(), rows.end(), [](const ProbeResult& a, const ProbeResult& b) {
        const auto level = [](const ProbeResult& r) {
            return std::tuple{r.spec.model.context, r.spec.data.probe.size, r.spec.model.width};
        };
        return std::tuple{level(a), is_better(b, a)} < std::tuple{level(b), is_better(a, b)};
    });
    return rows;
}

/// CE of the first occurrence, at best: uniform tokens without replacement, to within their number over the vocabulary.
double induction_score(const ProbeResult& row) {
    return std::log(static_cast<double>(row.spec.data.probe.vocab - 1)) - row.last.val_loss;
}

void print_table(const ProbeGrid& grid, const std::vector<ProbeResult>& rows) {
    const bool is_recall = grid.task == ProbeTask::mqar;
    const bool is_induction = grid.task == ProbeTask::induction;
    fmt::print("{:<16} {:>6} {:>7} {:>5} {:>5} {:>9} {:>8} {:>8} {:>8} {:>9} {:>8}  {}\n", "attention", "layers",
               "context", "size", "width", "state", "accuracy", is_induction ? "score" : "strings", "loss", "lr",
               "to 99%", is_recall ? "published (state in floats)" : "by length (strings)");
    for (const ProbeResult& row : rows) {
        const ModelSpec& model = row.spec.model;
        std::string remark = is_recall ? published_recall(attention_name(model.attention)) : std::string{};
        if (!is_recall && row.last.by_length.size() > 1) {
            for (const LengthScore& score : row.last.by_length) {
                remark += fmt::format("{}: {:.3f} ({:.3f})  ", score.length, score.accuracy, score.string_accuracy);
            }
        }
        fmt::print("{:<16} {:>6} {:>7} {:>5} {:>5} {:>9} {:>8.4f} {:>8.4f} {:>8.4f} {:>9.3g} {:>8}  {}\n",
                   attention_name(model.attention), model.layers, model.context, row.spec.data.probe.size, model.width,
                   state_floats(row.spec), row.last.accuracy.value_or(0),
                   is_induction ? induction_score(row) : row.last.string_accuracy.value_or(0), row.last.val_loss,
                   row.spec.train.optimizer.lr,
                   row.examples_to_99 ? std::to_string(*row.examples_to_99) : std::string{"-"}, remark);
    }
}

void print_json(const ProbeGrid& grid, const std::vector<ProbeResult>& rows, std::size_t runs) {
    using Json = nlohmann::ordered_json;
    Json table = Json::array();
    for (const ProbeResult& row : rows) {
        const ModelSpec& model = row.spec.model;
        Json lengths = Json::array();
        for (const LengthScore& score : row.last.by_length) {
            lengths.push_back(
                {{"length", score.length}, {"accuracy", score.accuracy}, {"string_accuracy", score.string_accuracy}});
        }
        const std::string published =
            grid.task == ProbeTask::mqar ? published_recall(attention_name(model.attention)) : std::string{};
        Json object{{"id", row.record.id},
                    {"state", to_text(row.record.state)},
                    {"attention", attention_name(model.attention)},
                    {"layers", model.layers},
                    {"context", model.context},
                    {"size", row.spec.data.probe.size},
                    {"width", model.width},
                    {"state_floats", state_floats(row.spec)},
                    {"accuracy", row.last.accuracy.value_or(0)},
                    {"string_accuracy", row.last.string_accuracy.value_or(0)},
                    {"by_length", lengths},
                    {"loss", row.last.val_loss},
                    {"lr", row.spec.train.optimizer.lr},
                    {"examples_to_99", row.examples_to_99 ? Json(*row.examples_to_99) : Json{}},
                    {"published", published.empty() ? Json{} : Json(published)}};
        if (grid.task == ProbeTask::induction) { object["score"] = induction_score(row); }
        table.push_back(std::move(object));
    }
    const Json result{{"task", to_string(grid.task)}, {"sweep", name_of(grid)}, {"runs", runs}, {"rows", table}};
    fmt::print("{}\n", result.dump(2));
}

void probe(const ProbeOptions& options, Program& program) {
    const ProbeGrid grid = grid_of(options);
    SweepOptions sweep;
    const std::filesystem::path registry = registry_folder(options.registry);
    sweep.file = (registry / "probes" / (name_of(grid) + ".toml")).string();
    sweep.overrides = options.overrides;
    sweep.registry = options.registry;
    sweep.stop_after = options.stop_after;
    sweep.force = true;  // what a probe shows is no scaling law
    sweep.quiet = true;
    const std::string text = sweep_text(grid);
    const bool leads = !started_by_launcher() || launched_rank() == 0;
    if (leads) {
        std::filesystem::create_directories(registry / "probes");
        write_file(sweep.file, text, Durability::process);
    }
    run_sweep(sweep, program);
    if (!leads) { return; }
    const auto results = results_of(sweep);
    const auto rows = best_over_learning_rates(results);
    options.json ? print_json(grid, rows, results.size()) : print_table(grid, rows);
}

}  // namespace

void add_probe_verb(CLI::App& app, Program& program) {
    const auto options = std::make_shared<ProbeOptions>();
    CLI::App* verb = app.add_subcommand(
        "probe",
        "Train small models on tasks with known answers and compare kinds of attention: under mpirun, one on "
        "each rank");
    std::vector<std::string> tasks;
    for (const auto& [task, name] : EnumNames<ProbeTask>::values) {
        if (task != ProbeTask::none) { tasks.emplace_back(name); }
    }
    verb->add_option("--attention", options->attentions, "Kinds to compare, with commas: dense,gdn,gdn-3:1")
        ->delimiter(',');
    verb->add_option("--task", options->task, "What is asked of them")->check(CLI::IsMember(tasks));
    verb->add_option("--grid", options->grid, "small: some minutes; full: as published")
        ->check(CLI::IsMember({"small", "full"}));
    verb->add_option("--set", options->overrides, "Override a key: --set model.width=128 (repeatable)")
        ->allow_extra_args(false);
    verb->add_option("--registry", options->registry,
                     "Folder of the runs (default: $LOGLOG_REGISTRY, else ./loglog-runs)");
    verb->add_option("--stop-after", options->stop_after,
                     "Seconds after which runs are checkpointed and the probe stops (0: never)");
    verb->add_flag("--json", options->json, "Print the results as JSON");
    verb->callback([options, &program] { probe(*options, program); });
}

}  // namespace loglog
