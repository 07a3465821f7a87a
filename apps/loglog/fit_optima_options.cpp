#include "apps/loglog/fit_optima_options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "apps/loglog/fit_arguments.hpp"
#include "apps/loglog/option_checks.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

using Given = std::vector<std::pair<const char*, bool>>;  ///< option, whether it was given

void refuse(const Given& options, const std::string& law, const char* users) {
    for (const auto& [option, given] : options) {
        if (given) {
            throw InputError{std::string{option} + " is for " + users + "; '" + law + "' makes no use of it"};
        }
    }
}

Given given_of(const IsoflopArguments& a) {
    return {{"--interpolation", a.interpolation.has_value()},
            {"--weights", a.weights.has_value()},
            {"--budget-tolerance", a.tolerance.has_value()},
            {"--central-points", a.central_points.has_value()},
            {"--noise", a.noise.has_value()},
            {"--keep-edge", a.keep_edge}};
}

Given given_of(const EnvelopeArguments& a) {
    return {{"--bins", a.bins.has_value()}, {"--smooth", a.smoothing.has_value()}, {"--series", a.series.has_value()}};
}

}  // namespace

std::vector<Departure> departures_of(const FrontierArguments& arguments) {
    std::vector<Departure> departures;
    for (const double factor : arguments.off_optimal) { departures.push_back({Departure::Kind::size, factor}); }
    for (const double factor : arguments.over_train) {
        departures.push_back({Departure::Kind::tokens_per_parameter, factor});
    }
    return departures;
}

void add_optima_options(CLI::App& verb, FitArguments& arguments) {
    auto& isoflop = arguments.isoflop;
    verb.add_option("--interpolation", isoflop.interpolation,
                    "isoflop: how a budget's lowest loss is found: parabola, parabola-log or akima");
    verb.add_option("--weights", isoflop.weights,
                    "isoflop: budgets count equal, or by the error of their optimum (error; akima's default)");
    verb.add_option("--budget-tolerance", isoflop.tolerance,
                    "isoflop: relative difference of C up to which neighbouring runs are of one budget (0.05)")
        ->check(number_within(0, 1));
    verb.add_option("--central-points", isoflop.central_points,
                    "isoflop: use so many sizes around each budget's lowest loss")
        ->check(CLI::Range(3, 1'000'000));
    verb.add_option("--noise", isoflop.noise,
                    "isoflop: standard deviation of a run's loss in nats, for the intervals; else estimated")
        ->check(number_within(0, 10));
    verb.add_flag("--keep-edge", isoflop.keep_edge,
                  "isoflop: use parabolas whose lowest point lies outside the sizes trained");
    auto& envelope = arguments.envelope;
    verb.add_option("--bins", envelope.bins, "envelope: points of the envelope, evenly spaced in log compute (100)")
        ->check(CLI::Range(4, 100'000));
    verb.add_option("--smooth", envelope.smoothing,
                    "envelope: width in ln C over which a run's loss is averaged (0.1; 0: not at all)")
        ->check(number_within(0, 2));
    verb.add_option("--series", envelope.series, "envelope: of runs of the registry, the loss in train or eval");
    auto& frontier = arguments.frontier;
    verb.add_option("--off-optimal", frontier.off_optimal,
                    "laws of N and D, with --predict: cost of a model of so many times the optimal size")
        ->check(positive_number());
    verb.add_option("--over-train", frontier.over_train,
                    "laws of N and D, with --predict: cost of so many times the optimal tokens per parameter")
        ->check(positive_number());
}

void refuse_foreign_options(const FitArguments& arguments) {
    const std::string& law = arguments.law;
    const bool isoflop = law == "isoflop";
    const bool envelope = law == "envelope";
    if (!isoflop) { refuse(given_of(arguments.isoflop), law, "--law isoflop"); }
    if (!envelope) { refuse(given_of(arguments.envelope), law, "--law envelope"); }
    if (isoflop || envelope) {
        refuse({{"--x", !arguments.x.empty()}, {"--all-points", arguments.all_points}}, law, "laws of one variable");
        refuse({{"--hold-out", !arguments.hold_out.empty()}}, law, "laws of one formula");
        refuse({{"--off-optimal", !arguments.frontier.off_optimal.empty()},
                {"--over-train", !arguments.frontier.over_train.empty()}},
               law, "laws of N and D such as chinchilla");
    }
    const bool asks = !arguments.frontier.off_optimal.empty() || !arguments.frontier.over_train.empty();
    if (asks && arguments.budgets.empty()) {
        throw InputError{"--off-optimal and --over-train want the budgets that they are for: --predict FLOPS"};
    }
}

}  // namespace loglog
