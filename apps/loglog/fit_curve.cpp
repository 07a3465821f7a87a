#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "analysis/curve/curve_fit.hpp"
#include "analysis/curve/curve_rows.hpp"
#include "analysis/fit/parallel.hpp"
#include "apps/loglog/fit_arguments.hpp"
#include "apps/loglog/verbs.hpp"
#include "db/registry/external_run.hpp"
#include "db/registry/registry.hpp"
#include "engine/base/error.hpp"
#include "engine/optim/schedule.hpp"
#include "experiments/run/curves.hpp"
#include "experiments/run/run_folder.hpp"
#include "experiments/spec/load.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog {

void fit_curve(const FitArguments&);

namespace {

constexpr std::size_t most_losses_of_a_run = 200;
constexpr std::size_t predicted_points = 200;

std::string cell(double value) { return fmt::format("{:.17g}", value); }

/// Columns that tell runs apart in --train, the same in every row of a run.
const std::vector<std::string> run_columns_told{"name", "sweep", "seed", "tokens", "schedule_kind"};

std::vector<std::string> told_of(const RunRecord& run) {
    const auto number = [](const std::optional<std::int64_t>& value) { return value ? std::to_string(*value) : ""; };
    return {run.name, run.sweep, number(run.seed), number(run.tokens),
            is_external(run) ? "" : to_string(run_spec_from_json(run.spec).train.schedule.kind)};
}

/// Rows of one run: every step tells its learning rate; the loss is that of the evaluations, or of training, then
/// averaged over as many steps as give at most 200 losses.
void append_rows(Dataset& data, const RunRecord& run, const Curves& curves, bool of_training) {
    const std::vector<std::string> told = told_of(run);
    std::vector<std::string> losses(curves.train.size());
    if (of_training) {
        const std::size_t width = (curves.train.size() + most_losses_of_a_run - 1) / most_losses_of_a_run;
        for (std::size_t begin = 0; begin + width <= curves.train.size(); begin += width) {
            double mean = 0;
            for (std::size_t i = begin; i < begin + width; ++i) {
                mean += curves.train[i].loss / static_cast<double>(width);
            }
            losses[begin + width / 2] = cell(mean);
        }
    } else {
        for (const EvalLine& line : curves.eval) {
            const auto same =
                std::lower_bound(curves.train.begin(), curves.train.end(), line.step,
                                 [](const StepLine& left, std::int64_t step) { return left.step < step; });
            if (same != curves.train.end() && same->step == line.step) {
                losses[static_cast<std::size_t>(same - curves.train.begin())] = cell(line.val_loss);
            }
        }
    }
    for (std::size_t i = 0; i < curves.train.size(); ++i) {
        const StepLine& line = curves.train[i];
        if (line.lr <= 0) { continue; }  // a schedule may end at zero: such a step changes nothing
        data.rows.push_back({run.id, std::to_string(line.step), cell(line.lr), losses[i]});
        data.rows.back().insert(data.rows.back().end(), told.begin(), told.end());
        data.row_names.push_back(fmt::format("run {} step {}", run.id, line.step));
    }
}

/// The curves of the finished runs that --where chooses, as a table.
Dataset rows_of_runs(const FitArguments& arguments, CurveSet& notes) {
    if (!arguments.y.empty() && arguments.y != "loss" && arguments.y != "val_loss") {
        throw InputError{"--y '" + arguments.y +
                         "' must be val_loss (of the evaluations, the default) or loss (of training) for runs"};
    }
    const auto folder = registry_folder(arguments.registry);
    const auto registry = Registry::open(folder, Access::read);
    const auto runs = registry.select(arguments.where);
    Dataset data{"registry " + folder, {"run", "step", "lr", "loss"}, {}, {}};
    data.columns.insert(data.columns.end(), run_columns_told.begin(), run_columns_told.end());
    for (const RunRecord& run : runs) {
        if (run.state != RunState::ok) {
            notes.excluded.push_back({run.id, fmt::format("is {}, not ok", to_text(run.state))});
            continue;
        }
        append_rows(data, run, read_curves(run_folder(folder, run.id)), arguments.y == "loss");
    }
    notes.warnings = mixture_warnings(runs);
    if (data.rows.empty()) {
        throw InputError{fmt::format("--where '{}' selects {} runs of {}, of which none is finished and has a curve",
                                     arguments.where, runs.size(), data.source)};
    }
    return data;
}

Dataset rows_of_csv(const FitArguments& arguments) {
    const Dataset all = read_csv(arguments.csv);
    return arguments.where.empty() ? all : filter(all, arguments.where);
}

/// The learning rates of a run that a spec describes, its losses wanted at `predicted_points` steps up to the last.
Curve curve_of_spec(const std::string& file) {
    const RunSpec unresolved = load_run_spec(file);
    const RunSpec spec = resolve(unresolved, std::max<std::int64_t>(unresolved.model.vocab, 256));
    const auto& train = spec.train;
    const Schedule schedule{
        .kind = train.schedule.kind,
        .peak = train.optimizer.lr,
        .total_steps = total_steps(spec),
        .warmup_steps = warmup_steps(spec),
        .cooldown_steps = cooldown_steps(spec),
        .cooldown = train.schedule.decay == DecayKind::linear ? Cooldown::linear : Cooldown::one_minus_sqrt,
        .min_ratio = train.schedule.min_ratio};
    Curve curve;
    curve.name = file;
    curve.rates.push_back(0);  // steps count from 1
    for (std::int64_t done = 0; done < schedule.total_steps; ++done) {
        curve.rates.push_back(learning_rate(schedule, done));
    }
    const std::size_t last = curve.rates.size() - 1;
    const std::size_t first = std::max<std::size_t>(1, static_cast<std::size_t>(schedule.warmup_steps));
    const std::size_t stride = std::max<std::size_t>(1, (last - std::min(first, last)) / predicted_points);
    for (std::size_t step = last; step >= first && step > 0; step -= std::min(step, stride)) {
        curve.steps.push_back(step);
    }
    std::reverse(curve.steps.begin(), curve.steps.end());
    return curve;
}

}  // namespace

void fit_curve(const FitArguments& arguments) {
    const CurveArguments& own = arguments.curve;
    const std::string asked = own.form.value_or("auto");
    const CurveForm* given = asked == "auto" ? nullptr : &find_curve_form(asked);
    CurveFitOptions options;
    options.objective = parse_objective(arguments.objective, arguments.delta);
    options.bootstrap.resamples = arguments.bootstrap;
    options.bootstrap.seed = Seed{arguments.seed};
    options.bootstrap.threads = default_threads();
    std::vector<Curve> wanted;
    for (const std::string& file : own.schedules) { wanted.push_back(curve_of_spec(file)); }

    CurveRowOptions rows{parse_maps(arguments.maps), own.train};
    CurveSet notes;
    const bool from_csv = !arguments.csv.empty();
    if (from_csv && !arguments.y.empty()) { rows.mapping["loss"] = arguments.y; }
    const Dataset data = from_csv ? rows_of_csv(arguments) : rows_of_runs(arguments, notes);
    CurveSet set = curve_set(logged_curves(data, rows), own.warmup.value_or(0));
    options.excluded = std::move(notes.excluded);
    options.excluded.insert(options.excluded.end(), set.excluded.begin(), set.excluded.end());
    options.warnings = std::move(notes.warnings);
    options.warnings.insert(options.warnings.end(), set.warnings.begin(), set.warnings.end());

    CurveFit fit = given != nullptr ? fit_curves(*given, set.train, set.test, options)
                                    : fit_chosen_form(set.train, set.test, options);
    wanted.insert(wanted.begin(), set.unmeasured.begin(), set.unmeasured.end());
    for (const Curve& curve : wanted) {
        fit.predictions.push_back({curve.name, curve.steps, predicted_losses(*fit.form, fit.natural, curve)});
    }
    const std::string text = arguments.json ? to_json(fit) + "\n" : to_text(fit);
    std::fputs(text.c_str(), stdout);
}

}  // namespace loglog
