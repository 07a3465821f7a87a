#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "analysis/frontier/departure.hpp"

namespace CLI {
class App;
}

namespace loglog {

struct FitArguments;

/// What only `--law isoflop` is told.
struct IsoflopArguments {
    std::optional<std::string> interpolation;
    std::optional<std::string> weights;
    std::optional<double> tolerance;
    std::optional<std::size_t> central_points;
    std::optional<double> noise;
    bool keep_edge = false;
};

/// What only `--law envelope` is told.
struct EnvelopeArguments {
    std::optional<std::size_t> bins;
    std::optional<double> smoothing;
    std::optional<std::string> series;
};

/// Departures from the compute optimum whose cost is asked for; for laws of N and D.
struct FrontierArguments {
    std::vector<double> off_optimal;
    std::vector<double> over_train;
};

std::vector<Departure> departures_of(const FrontierArguments& arguments);

void add_optima_options(CLI::App& verb, FitArguments& arguments);

/// Throws InputError for an option that the chosen law makes no use of, and says whose it is.
void refuse_foreign_options(const FitArguments& arguments);

}  // namespace loglog
