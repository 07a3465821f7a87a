#include "apps/loglog/fit_intervals.hpp"

#include <CLI/CLI.hpp>

#include "analysis/fit/parallel.hpp"
#include "apps/loglog/fit_arguments.hpp"
#include "apps/loglog/option_checks.hpp"

namespace loglog {

void add_interval_options(CLI::App& verb, FitArguments& arguments) {
    IntervalArguments& intervals = arguments.intervals;
    verb.add_option("--bootstrap-kind", intervals.kind,
                    "what is drawn: cases (points or groups), residuals, or parametric (normal noise)");
    verb.add_option("--group", intervals.group, "points that are drawn together: run, size, seed, a column, or none");
    verb.add_option("--interval", intervals.interval,
                    "bca (unless given, of fewer than 100 points), percentile, or expanded (by Student's t)");
    verb.add_option("--level,--coverage", intervals.level, "share of intervals that should hold the truth (0.95)")
        ->check(number_within(0.5, 0.9999));
    verb.add_option(
        "--seeds", intervals.repeats,
        "rows at the same N and D: each a point, their average, or a random-effect (means weighted by both noises)");
}

BootstrapOptions bootstrap_options(const FitArguments& arguments) {
    const IntervalArguments& intervals = arguments.intervals;
    BootstrapOptions options;
    options.resamples = arguments.bootstrap;
    options.seed = Seed{arguments.seed};
    options.threads = default_threads();
    if (intervals.kind) { options.kind = parse_bootstrap_kind(*intervals.kind); }
    if (intervals.interval) { options.interval = parse_interval_kind(*intervals.interval); }
    options.level = intervals.level.value_or(options.level);
    return options;
}

UnitOptions unit_options(const IntervalArguments& arguments) {
    UnitOptions units;
    units.group = arguments.group.value_or("");
    if (arguments.repeats) { units.repeats = parse_repeats(*arguments.repeats); }
    return units;
}

}  // namespace loglog
