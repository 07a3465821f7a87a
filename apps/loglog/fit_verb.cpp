#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "analysis/fit/parallel.hpp"
#include "analysis/inference/study.hpp"
#include "apps/loglog/fit_arguments.hpp"
#include "apps/loglog/fit_procedures.hpp"
#include "apps/loglog/verbs.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

void fit(const FitArguments& arguments) {
    if (arguments.csv.empty() && arguments.where.empty()) {
        throw InputError{"fit: say what to fit: --csv FILE, or --where SQL over the registry (all runs: --where true)"};
    }
    refuse_foreign_options(arguments);
    if (const FitProcedure* procedure = find_procedure(arguments.law)) { return procedure->run(arguments); }
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
    question.inference.departures = departures_of(arguments.frontier);
    find_law(arguments.law);  // a wrong name is told before a large file is read

    question.examine.laws = true;
    question.examine.against = arguments.against;
    question.examine.conventions = true;
    question.examine.sensitivity = arguments.sensitivity;
    question.examine.cross_validation = arguments.cross_validate;

    RunDataset gathered = gather(arguments, question.inference.warnings);
    question.inference.excluded = std::move(gathered.excluded);
    if (arguments.sensitivity) { question.examine.all_rows = before_exclusions(arguments, gathered.data.rows.size()); }
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
    verb->add_option("--law", arguments->law, "power, saturating, kaplan, chinchilla, isoflop, envelope, ...")->required();
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
    verb->add_flag("--sensitivity", arguments->sensitivity,
                   "also refit under other objectives, counts and exclusions, and show the spread");
    verb->add_flag("--cross-validate", arguments->cross_validate, "also predict each size from all others");
    verb->add_option("--against", arguments->against, "another law of the same variables to compare with");
    verb->add_option("--predict", arguments->budgets, "budget in FLOPs (or X) to predict the loss for");
    verb->add_flag("--all-points", arguments->all_points, "laws of one variable use every run, not the best per X");
    add_optima_options(*verb, *arguments);
    verb->add_flag("--json", arguments->json, "print JSON");
    verb->add_option("--registry", arguments->registry, "registry folder");
    verb->callback([arguments] { fit(*arguments); });
}

}  // namespace loglog
