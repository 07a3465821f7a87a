#include <cstdio>
#include <string>

#include "analysis/fit/parallel.hpp"
#include "analysis/isoflop/isoflop.hpp"
#include "apps/loglog/fit_procedures.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

IsoflopQuestion question_of(const FitArguments& arguments) {
    IsoflopQuestion question;
    question.mapping = parse_maps(arguments.maps);
    if (!arguments.y.empty()) { question.mapping["loss"] = arguments.y; }
    const IsoflopArguments& own = arguments.isoflop;
    if (own.interpolation) { question.interpolation = parse_interpolation(*own.interpolation); }
    if (own.weights) { question.weights = parse_weights(*own.weights); }
    if (own.tolerance) { question.tolerance = *own.tolerance; }
    if (own.central_points) { question.central_points = *own.central_points; }
    question.noise = own.noise;
    question.edge = own.keep_edge ? EdgeOptima::keep : EdgeOptima::leave_out;
    question.inference.objective = parse_objective(arguments.objective, arguments.delta);
    question.inference.bootstrap.resamples = arguments.bootstrap;
    question.inference.bootstrap.seed = Seed{arguments.seed};
    question.inference.bootstrap.threads = default_threads();
    question.inference.budgets = arguments.budgets;
    return question;
}

/// Options that would change how optima are found, for tables that hold them already.
void refuse_for_ready_optima(const IsoflopArguments& own) {
    const char* option = own.interpolation    ? "--interpolation"
                         : own.tolerance      ? "--budget-tolerance"
                         : own.central_points ? "--central-points"
                         : own.noise          ? "--noise"
                         : own.keep_edge      ? "--keep-edge"
                                              : nullptr;
    if (option == nullptr) { return; }
    throw InputError{std::string{option} +
                     ": the table holds optima (a column N_star), they are not looked for again; it is for tables of "
                     "runs (columns N, C, loss)"};
}

}  // namespace

void fit_isoflop(const FitArguments& arguments) {
    IsoflopQuestion question = question_of(arguments);
    RunDataset gathered = gather(arguments, question.inference.warnings);
    question.inference.excluded = std::move(gathered.excluded);
    const bool ready = has_ready_optima(gathered.data, question.mapping);
    if (ready) { refuse_for_ready_optima(arguments.isoflop); }
    const OptimaFit fit =
        ready ? fit_ready_optima(gathered.data, std::move(question)) : fit_isoflop(gathered.data, std::move(question));
    const std::string text = arguments.json ? to_json(fit) + "\n" : to_text(fit);
    std::fputs(text.c_str(), stdout);
}

}  // namespace loglog
