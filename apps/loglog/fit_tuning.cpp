#include <cstdio>
#include <string>

#include "analysis/fit/parallel.hpp"
#include "analysis/tuning/tuning_study.hpp"
#include "apps/loglog/fit_procedures.hpp"
#include "engine/base/error.hpp"

namespace loglog {

void fit_tuning(const FitArguments& arguments) {
    if (!arguments.hold_out.empty() || arguments.all_points) {
        throw InputError{"--hold-out and --all-points are for laws of one formula; 'tuning' makes no use of them"};
    }
    TuningQuestion question;
    question.mapping = parse_maps(arguments.maps);
    if (!arguments.y.empty()) { question.mapping["loss"] = arguments.y; }
    question.x = arguments.x;
    if (arguments.window) { question.cells.window = *arguments.window; }
    question.inference.objective = parse_objective(arguments.objective, arguments.delta);
    question.inference.bootstrap.resamples = arguments.bootstrap;
    question.inference.bootstrap.seed = Seed{arguments.seed};
    question.inference.bootstrap.threads = default_threads();
    question.inference.budgets = arguments.budgets;
    RunDataset gathered = gather(arguments, question.inference.warnings);
    question.inference.excluded = std::move(gathered.excluded);
    const TuningStudy study = study_tuning(gathered.data, question);
    const std::string text = arguments.json ? to_json(study) + "\n" : to_text(study);
    std::fputs(text.c_str(), stdout);
}

}  // namespace loglog
