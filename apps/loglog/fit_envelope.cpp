#include <cstdio>
#include <string>

#include "analysis/envelope/envelope.hpp"
#include "analysis/fit/parallel.hpp"
#include "apps/loglog/fit_procedures.hpp"
#include "apps/loglog/verbs.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/curves.hpp"
#include "experiments/run/run_folder.hpp"

namespace loglog {
namespace {

enum class Series { train, eval };

Series parse_series(const std::optional<std::string>& text) {
    if (!text || *text == "train") { return Series::train; }
    if (*text == "eval") { return Series::eval; }
    throw InputError{"--series '" + *text + "' must be train or eval"};
}

/// Evaluations store no FLOPs: they are those of the training step of as many tokens, which grow with the tokens.
TrainingCurve curve_of(const std::string& run, double n, const Curves& stored, Series series) {
    TrainingCurve curve{run, n, {}, {}, {}};
    const auto add = [&](double tokens, double flops, double loss) {
        if (!(tokens > 0) || !(flops > 0)) { return; }  // before the first step
        curve.tokens.push_back(tokens);
        curve.compute.push_back(flops);
        curve.loss.push_back(loss);
    };
    if (series == Series::train) {
        for (const StepLine& line : stored.train) { add(static_cast<double>(line.tokens), line.flops, line.loss); }
    } else if (!stored.train.empty()) {
        const StepLine& last = stored.train.back();
        const double per_token = last.flops / static_cast<double>(last.tokens);
        for (const EvalLine& line : stored.eval) {
            const auto tokens = static_cast<double>(line.tokens);
            add(tokens, per_token * tokens, line.val_loss);
        }
    }
    return curve;
}

/// Curves of the finished runs that were chosen.
std::vector<TrainingCurve> stored_curves(const FitArguments& arguments, InferenceOptions& options) {
    const Series series = parse_series(arguments.envelope.series);
    RunDataset gathered = gather(arguments, options.warnings);
    options.excluded = std::move(gathered.excluded);
    const auto sizes = positive_columns(gathered.data, {find_column(gathered.data, "N", parse_maps(arguments.maps))});
    const auto folder = registry_folder(arguments.registry);
    std::vector<TrainingCurve> curves;
    for (std::size_t row = 0; row < gathered.data.rows.size(); ++row) {
        const std::string& id = gathered.data.row_names[row];
        TrainingCurve curve = curve_of(id, sizes[0][row], read_curves(run_folder(folder, id)), series);
        if (curve.loss.size() < 2) {
            options.excluded.push_back({id, "fewer than two checkpoints of its loss are stored"});
        } else {
            curves.push_back(std::move(curve));
        }
    }
    return curves;
}

std::vector<TrainingCurve> table_curves(const FitArguments& arguments, InferenceOptions& options) {
    if (arguments.envelope.series) {
        throw InputError{"--series is for runs of the registry; of a table, name the column with --y"};
    }
    auto mapping = parse_maps(arguments.maps);
    if (!arguments.y.empty()) { mapping["loss"] = arguments.y; }
    const RunDataset gathered = gather(arguments, options.warnings);
    return curves_of(gathered.data, mapping, options.warnings);
}

}  // namespace

void fit_envelope(const FitArguments& arguments) {
    EnvelopeQuestion question;
    if (arguments.envelope.bins) { question.bins = *arguments.envelope.bins; }
    if (arguments.envelope.smoothing) { question.smoothing = *arguments.envelope.smoothing; }
    InferenceOptions& options = question.inference;
    options.objective = parse_objective(arguments.objective, arguments.delta);
    options.bootstrap.resamples = arguments.bootstrap;
    options.bootstrap.seed = Seed{arguments.seed};
    options.bootstrap.threads = default_threads();
    options.budgets = arguments.budgets;
    const auto curves = arguments.csv.empty() ? stored_curves(arguments, options) : table_curves(arguments, options);
    const OptimaFit fit = fit_envelope(curves, std::move(question));
    const std::string text = arguments.json ? to_json(fit) + "\n" : to_text(fit);
    std::fputs(text.c_str(), stdout);
}

}  // namespace loglog
