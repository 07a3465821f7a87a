#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>

#include "analysis/attention/comparison.hpp"
#include "analysis/fit/parallel.hpp"
#include "apps/loglog/option_checks.hpp"
#include "apps/loglog/run_choice.hpp"
#include "apps/loglog/verbs.hpp"
#include "db/registry/registry.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/curves.hpp"
#include "experiments/run/run_folder.hpp"

namespace loglog {
namespace {

struct CompareArguments {
    std::string by;
    std::string sweep;
    std::string where;
    std::string baseline = "dense";
    std::vector<double> losses;
    int bootstrap = 2000;
    std::uint64_t seed = 1;
    std::string axis = "flops";
    std::string bench;
    bool json = false;
    std::string registry;
};

std::vector<BenchKind> read_bench(const std::string& file) {
    if (file.empty()) { return {}; }
    std::ifstream in{file};
    if (!in) { throw InputError{"--bench " + file + " cannot be read"}; }
    std::ostringstream text;
    text << in.rdbuf();
    return parse_bench(text.str(), file);
}

std::vector<ComparedRun> gather(const CompareArguments& arguments) {
    const std::string selection = chosen_runs("compare", arguments.sweep, arguments.where);
    const std::string folder = registry_folder(arguments.registry);
    const auto registry = Registry::open(folder, Access::read);
    std::vector<ComparedRun> runs;
    for (RunRecord& record : registry.select(selection)) {
        ComparedRun run;
        if (record.state == RunState::ok) {
            const Curves curves = read_curves(run_folder(folder, record.id));
            if (!curves.eval.empty()) { run.loss_by_position = curves.eval.back().loss_by_position; }
        }
        run.record = std::move(record);
        runs.push_back(std::move(run));
    }
    if (runs.empty()) {
        throw InputError{"compare: no run in " + folder + " satisfies " + selection + " (see: loglog runs list)"};
    }
    return runs;
}

void compare(const CompareArguments& arguments) {
    if (arguments.by != "attention") { throw InputError{"compare: --by '" + arguments.by + "' must be attention"}; }
    CompareOptions options;
    options.baseline = arguments.baseline;
    options.losses = arguments.losses;
    options.axis = parse_cost_axis(arguments.axis);
    options.bootstrap = {arguments.bootstrap, Seed{arguments.seed}, default_threads()};
    options.bench = read_bench(arguments.bench);
    const Comparison comparison = compare_attention(gather(arguments), options);
    const std::string text = arguments.json ? to_json(comparison) + "\n" : to_text(comparison);
    std::fputs(text.c_str(), stdout);
}

}  // namespace

void add_compare_verb(CLI::App& app, Program&) {
    auto arguments = std::make_shared<CompareArguments>();
    CLI::App* verb = app.add_subcommand("compare", "Compare kinds of attention at equal cost, with intervals");
    verb->add_option("--by", arguments->by, "what to compare: attention")->required();
    verb->add_option("--sweep", arguments->sweep, "name of the sweep whose runs are compared");
    verb->add_option("--where", arguments->where, "SQL expression over the view runs that chooses them");
    verb->add_option("--baseline", arguments->baseline, "attention that the others are compared with");
    verb->add_option("--loss", arguments->losses,
                     "loss at which multipliers are stated; default: the baseline's at its middle and largest size")
        ->check(positive_number());
    verb->add_option("--bootstrap", arguments->bootstrap, "resamples for the intervals; 0: none")
        ->check(CLI::Range(0, 10'000'000));
    verb->add_option("--seed", arguments->seed, "of the resampling");
    verb->add_option("--axis", arguments->axis, "cost of the headline: flops, parameters or seconds");
    verb->add_option("--bench", arguments->bench, "what loglog bench attention --json printed: measured crossovers");
    verb->add_flag("--json", arguments->json, "print JSON");
    verb->add_option("--registry", arguments->registry, "registry folder");
    verb->callback([arguments] { compare(*arguments); });
}

}  // namespace loglog
