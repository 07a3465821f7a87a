#include "apps/loglog/fit_curve_options.hpp"

#include <CLI/CLI.hpp>

#include "apps/loglog/fit_arguments.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

void refuse_if(bool given, const char* option, const std::string& why) {
    if (given) { throw InputError{std::string{option} + " " + why}; }
}

}  // namespace

void add_curve_options(CLI::App& verb, FitArguments& arguments) {
    auto& curve = arguments.curve;
    verb.add_option("--form", curve.form,
                    "curve: multi-power, annealing, or auto (the default): what predicts schedules left out best");
    verb.add_option("--train", curve.train,
                    "curve: SQL expression that chooses the rows to fit, e.g. \"schedule IN ('cosine', 'constant')\"; "
                    "the others are held out and scored");
    verb.add_option("--warmup", curve.warmup,
                    "curve: steps of linear warm-up before the first row of each run; else up to that row");
    verb.add_option("--predict-schedule", curve.schedules,
                    "curve: spec file (TOML) of a run whose loss along its schedule is predicted");
}

void refuse_curve_options(const FitArguments& arguments) {
    const auto& curve = arguments.curve;
    if (arguments.law != "curve") {
        const std::string why = "is for --law curve; '" + arguments.law + "' makes no use of it";
        refuse_if(curve.form.has_value(), "--form", why);
        refuse_if(!curve.train.empty(), "--train", why);
        refuse_if(curve.warmup.has_value(), "--warmup", why);
        refuse_if(!curve.schedules.empty(), "--predict-schedule", why);
        return;
    }
    refuse_if(!arguments.x.empty(), "--x", "is for laws of one variable; 'curve' is a function of the learning rates");
    refuse_if(!arguments.hold_out.empty(), "--hold-out", "has no meaning for curves; choose what to fit by --train");
    refuse_if(!arguments.budgets.empty(), "--predict", "has no meaning for curves; use --predict-schedule SPEC.toml");
    refuse_if(arguments.all_points, "--all-points", "is for laws of one variable");
}

}  // namespace loglog
