#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "analysis/approaches/approaches.hpp"
#include "analysis/inference/study.hpp"
#include "apps/loglog/fit_arguments.hpp"
#include "apps/loglog/fit_procedures.hpp"
#include "apps/loglog/option_checks.hpp"
#include "apps/loglog/verbs.hpp"
#include "engine/base/error.hpp"
#include "engine/base/nearest_name.hpp"

namespace loglog {
namespace {

std::vector<std::string> law_names() {
    std::vector<std::string> names;
    for (const Law* law : all_laws()) { names.emplace_back(law->name()); }
    for (const FitProcedure& procedure : all_procedures()) { names.emplace_back(procedure.law); }
    return names;
}

void require_known_law(const std::string& law) {
    const auto names = law_names();
    if (std::find(names.begin(), names.end(), law) != names.end()) { return; }
    throw InputError{fmt::format("law '{}' is not known{}; it must be one of {}", law, did_you_mean(law, names),
                                 fmt::join(names, ", "))};
}

/// A procedure has several formulas, or none: what would hold a parameter of one has no meaning there.
void refuse_law_options(const FitArguments& arguments) {
    const bool given = arguments.gamma || !arguments.fixed.empty() || !arguments.tied.empty();
    if (given) {
        throw InputError{"--fix, --tie and --gamma are for laws of one formula; '" + arguments.law +
                         "' is a procedure"};
    }
    if (arguments.sensitivity || arguments.cross_validate || !arguments.against.empty()) {
        throw InputError{"--sensitivity, --cross-validate and --against are for laws of one formula; '" +
                         arguments.law + "' is a procedure"};
    }
    if (!arguments.onset.empty()) {
        throw InputError{"--onset is for laws of one variable; '" + arguments.law + "' is a procedure"};
    }
    if (!arguments.places.empty()) {
        throw InputError{"--at is for laws of one formula; '" + arguments.law + "' is a procedure"};
    }
    if (arguments.intervals.any()) {
        throw InputError{"--bootstrap-kind, --group, --interval, --level and --seeds are for laws of one formula; '" +
                         arguments.law + "' is a procedure"};
    }
}

void fit(const FitArguments& arguments) {
    if (arguments.csv.empty() && arguments.where.empty()) {
        throw InputError{"fit: say what to fit: --csv FILE, or --where SQL over the registry (all runs: --where true)"};
    }
    require_known_law(arguments.law);  // told before a large file is read
    refuse_foreign_options(arguments);
    refuse_curve_options(arguments);
    if (arguments.window && arguments.law != "tuning") {
        throw InputError{"--window is for --law tuning; '" + arguments.law + "' makes no use of it"};
    }
    if (const FitProcedure* procedure = find_procedure(arguments.law)) {
        refuse_law_options(arguments);
        return procedure->run(arguments);
    }
    Question question;
    question.law = arguments.law;
    question.choice = parse_law_choice(arguments);
    question.x = arguments.x;
    question.loss = arguments.y;
    question.mapping = parse_maps(arguments.maps);
    question.points = arguments.all_points ? PointChoice::all : PointChoice::frontier;
    question.onset = parse_onset(arguments.onset);
    question.hold_out = parse_hold_out(arguments.hold_out);
    question.inference.objective = parse_objective(arguments.objective, arguments.delta);
    question.inference.bootstrap = bootstrap_options(arguments);
    question.units = unit_options(arguments.intervals);
    question.inference.budgets = arguments.budgets;
    question.inference.places = parse_places(arguments.places);
    question.inference.departures = departures_of(arguments.frontier);

    question.examine.laws = true;
    question.examine.against = arguments.against;
    question.examine.conventions = true;
    question.examine.sensitivity = arguments.sensitivity;
    question.examine.approaches = refit_by_approaches;
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
    verb->add_option("--law", arguments->law, fmt::format("{}", fmt::join(law_names(), ", ")))->required();
    verb->add_option("--fix", arguments->fixed, "PARAMETER=NUMBER: hold a parameter at its reported value");
    verb->add_option("--tie", arguments->tied, "alpha=beta: one parameter takes the value of another");
    verb->add_flag("--gamma", arguments->gamma, "chinchilla: an exponent gamma on the sum of both terms");
    verb->add_option("--window", arguments->window,
                     "tuning: runs with a loss up to (1 + window) times the lowest of their N and D enter (0.01)")
        ->check(number_within(1e-6, 1));
    verb->add_option("--x", arguments->x, "what a law of one variable is a function of: N, D, C or a column");
    verb->add_option("--y", arguments->y, "measured column: the loss, or what lr and error predict");
    verb->add_option("--map", arguments->maps, "N=COLUMN: the column that holds N (likewise D, C, loss)");
    verb->add_option("--count", arguments->count,
                     "what counts as N of a run: non_embedding (the default), with_head or total");
    verb->add_option("--objective", arguments->objective,
                     "huber-log, l1-log, ls-log, huber-linear, l1-linear, ls-linear");
    verb->add_option("--delta", arguments->delta, "Huber's threshold");
    verb->add_option("--bootstrap", arguments->bootstrap, "resamples for the intervals; 0: none")
        ->check(CLI::Range(0, 10'000'000));
    verb->add_option("--seed", arguments->seed, "of the resampling");
    verb->add_option("--onset", arguments->onset,
                     "laws of one variable: leave out points of smaller X; auto: the onset that forecasts best");
    verb->add_option("--hold-out", arguments->hold_out, "'largest' or K: predict the K largest sizes from the others");
    verb->add_flag("--sensitivity", arguments->sensitivity,
                   "also refit under other objectives, counts, exclusions and approaches, and show the spread");
    verb->add_flag("--cross-validate", arguments->cross_validate, "also predict each size from all others");
    verb->add_option("--against", arguments->against, "another law of the same variables to compare with");
    verb->add_option("--predict", arguments->budgets, "budget in FLOPs (or X) to predict the loss for")
        ->check(positive_number());
    verb->add_option("--at", arguments->places, "N=1e9,D=2e10: predict the loss there, every variable of the law given")
        ->allow_extra_args(false);
    verb->add_flag("--all-points", arguments->all_points, "laws of one variable use every run, not the best per X");
    add_interval_options(*verb, *arguments);
    add_optima_options(*verb, *arguments);
    add_curve_options(*verb, *arguments);
    verb->add_flag("--json", arguments->json, "print JSON");
    verb->add_option("--registry", arguments->registry, "registry folder");
    verb->callback([arguments] { fit(*arguments); });
}

}  // namespace loglog
