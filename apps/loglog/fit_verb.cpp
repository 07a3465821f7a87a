#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "analysis/fit/parallel.hpp"
#include "analysis/inference/run_dataset.hpp"
#include "analysis/inference/study.hpp"
#include "apps/loglog/verbs.hpp"
#include "db/registry/registry.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

struct FitArguments {
    std::string where;
    std::string csv;
    std::string law;
    std::string x;
    std::string y;
    std::vector<std::string> maps;
    std::string count = "non_embedding";
    std::string objective = "huber-log";
    double delta = 1e-3;
    int bootstrap = 1000;
    std::uint64_t seed = 1;
    std::string hold_out;
    std::vector<double> budgets;
    bool all_points = false;
    bool json = false;
    std::string registry;
};

std::map<std::string, std::string> parse_maps(const std::vector<std::string>& maps) {
    std::map<std::string, std::string> mapping;
    for (const auto& map : maps) {
        const auto equals = map.find('=');
        const std::string quantity = map.substr(0, equals);
        if (equals == std::string::npos || equals + 1 == map.size() ||
            (quantity != "N" && quantity != "D" && quantity != "C" && quantity != "loss")) {
            throw InputError{"--map '" + map + "' must be N=COLUMN, D=COLUMN, C=COLUMN or loss=COLUMN"};
        }
        mapping[quantity] = map.substr(equals + 1);
    }
    return mapping;
}

int parse_hold_out(const std::string& text) {
    if (text.empty()) { return 0; }
    if (text == "largest") { return 1; }
    int count = 0;
    if (!CLI::detail::lexical_cast(text, count) || count < 1) {
        throw InputError{"--hold-out '" + text + "' must be 'largest' or how many of the largest values to hold out"};
    }
    return count;
}

RunDataset gather(const FitArguments& arguments, std::vector<Warning>& warnings) {
    if (!arguments.csv.empty()) {
        const Dataset all = read_csv(arguments.csv);
        return {arguments.where.empty() ? all : filter(all, arguments.where), {}};
    }
    const auto folder = registry_folder(arguments.registry);
    const auto registry = Registry::open(folder, Access::read);
    const auto runs = registry.select(arguments.where);
    warnings = mixture_warnings(runs);
    return dataset_of_runs(runs, parse_parameter_count(arguments.count), "registry " + folder);
}

void fit(const FitArguments& arguments) {
    if (arguments.csv.empty() && arguments.where.empty()) {
        throw InputError{"fit: say what to fit: --csv FILE, or --where SQL over the registry (all runs: --where true)"};
    }
    Question question;
    question.law = arguments.law;
    question.x = arguments.x;
    question.loss = arguments.y;
    question.mapping = parse_maps(arguments.maps);
    question.points = arguments.all_points ? PointChoice::all : PointChoice::frontier;
    question.hold_out = parse_hold_out(arguments.hold_out);
    question.inference.objective = parse_objective(arguments.objective, arguments.delta);
    question.inference.bootstrap = {arguments.bootstrap, Seed{arguments.seed}, default_threads()};
    question.inference.budgets = arguments.budgets;
    find_law(arguments.law);  // a wrong name is told before a large file is read

    RunDataset gathered = gather(arguments, question.inference.warnings);
    question.inference.excluded = std::move(gathered.excluded);
    const Inference inference = answer(gathered.data, std::move(question));
    const std::string text = arguments.json ? to_json(inference) + "\n" : to_text(inference);
    std::fputs(text.c_str(), stdout);
}

}  // namespace

void add_fit_verb(CLI::App& app, Program&) {
    auto arguments = std::make_shared<FitArguments>();
    CLI::App* verb = app.add_subcommand("fit", "Fit a scaling law to runs, or to a table of published ones");
    verb->add_option("--where", arguments->where, "SQL expression that chooses runs, or rows of the CSV file");
    verb->add_option("--csv", arguments->csv, "table with columns N,D,C,loss or params,tokens,flops,loss");
    verb->add_option("--law", arguments->law, "power, saturating or chinchilla")->required();
    verb->add_option("--x", arguments->x, "what a law of one variable is a function of: N, D or C");
    verb->add_option("--y", arguments->y, "column of the loss");
    verb->add_option("--map", arguments->maps, "N=COLUMN: the column that holds N (likewise D, C, loss)");
    verb->add_option("--count", arguments->count, "what counts as N of a run: non_embedding, with_head or total");
    verb->add_option("--objective", arguments->objective,
                     "huber-log, l1-log, ls-log, huber-linear, l1-linear, ls-linear");
    verb->add_option("--delta", arguments->delta, "Huber's threshold");
    verb->add_option("--bootstrap", arguments->bootstrap, "resamples for the intervals; 0: none")
        ->check(CLI::Range(0, 10'000'000));
    verb->add_option("--seed", arguments->seed, "of the resampling");
    verb->add_option("--hold-out", arguments->hold_out, "'largest' or K: predict the K largest sizes from the others");
    verb->add_option("--predict", arguments->budgets, "budget in FLOPs (or X) to predict the loss for");
    verb->add_flag("--all-points", arguments->all_points, "laws of one variable use every run, not the best per X");
    verb->add_flag("--json", arguments->json, "print JSON");
    verb->add_option("--registry", arguments->registry, "registry folder");
    verb->callback([arguments] { fit(*arguments); });
}

}  // namespace loglog
