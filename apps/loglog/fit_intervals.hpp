#pragma once

#include <optional>
#include <string>

#include "analysis/inference/resampling_units.hpp"

namespace CLI {
class App;
}

namespace loglog {

struct FitArguments;

/// How intervals of laws of one formula are made; what was not given has the default of BootstrapOptions and
/// UnitOptions.
struct IntervalArguments {
    std::optional<std::string> kind;
    std::optional<std::string> group;
    std::optional<std::string> interval;
    std::optional<std::string> repeats;
    std::optional<double> level;

    bool any() const { return kind || group || interval || repeats || level; }
};

void add_interval_options(CLI::App& verb, FitArguments& arguments);

/// What is asked for. Throws InputError for unknown names.
BootstrapOptions bootstrap_options(const FitArguments& arguments);
UnitOptions unit_options(const IntervalArguments& arguments);

}  // namespace loglog
