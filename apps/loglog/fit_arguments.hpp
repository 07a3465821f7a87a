#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analysis/inference/run_dataset.hpp"
#include "analysis/laws/law_choice.hpp"
#include "apps/loglog/fit_curve_options.hpp"
#include "apps/loglog/fit_intervals.hpp"
#include "apps/loglog/fit_optima_options.hpp"

namespace loglog {

/// What `fit` was told on the command line.
struct FitArguments {
    std::string where;
    std::string csv;
    std::string law;
    std::string x;
    std::string y;
    std::vector<std::string> maps;
    std::vector<std::string> fixed;  ///< "E=1.69"
    std::vector<std::string> tied;   ///< "alpha=beta"
    bool gamma = false;
    std::optional<double> window;  ///< of the procedure tuning
    std::string count;             ///< empty: non_embedding
    std::string objective = "huber-log";
    double delta = 1e-3;
    int bootstrap = 1000;
    std::uint64_t seed = 1;
    std::string onset;
    std::string hold_out;
    std::vector<std::string> against;
    bool sensitivity = false;
    bool cross_validate = false;
    std::vector<double> budgets;
    std::vector<std::string> places;  ///< "N=1e9,D=2e10"
    bool all_points = false;
    bool json = false;
    std::string registry;
    IntervalArguments intervals;
    IsoflopArguments isoflop;
    EnvelopeArguments envelope;
    FrontierArguments frontier;
    CurveArguments curve;
};

/// "N=COLUMN" -> {N, COLUMN}; quantities are N, D, C, loss, U (unique tokens), run, seed, step, lr, schedule, batch,
/// weight, and of ready optima N_star, D_star, loss_star, each also with _logstd. Throws InputError.
std::map<std::string, std::string> parse_maps(const std::vector<std::string>& maps);

/// What --fix, --tie and --gamma ask of a law. Throws InputError for text that is not NAME=NUMBER or NAME=NAME, and for
/// a name given twice.
LawChoice parse_law_choice(const FitArguments& arguments);

/// "N=1e9,D=2e10" -> {{"N", 1e9}, {"D", 2e10}}, each. Throws InputError.
std::vector<VariableValues> parse_places(const std::vector<std::string>& texts);

/// 0 for no text, 1 for "largest", K for "K". Throws InputError.
int parse_hold_out(const std::string& text);

/// The rows of the CSV file before --where, if it left out at most a tenth of them: what such an exclusion changes is
/// part of the sensitivity, while a --where that chooses one study of several is none.
std::optional<Dataset> before_exclusions(const FitArguments& arguments, std::size_t kept_rows);

/// The rows of the CSV file or the runs of the registry that were asked for; caveats of the set go into `warnings`.
RunDataset gather(const FitArguments& arguments, std::vector<Warning>& warnings);

}  // namespace loglog
