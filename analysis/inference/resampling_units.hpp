#pragma once

#include <map>
#include <string>
#include <vector>

#include "analysis/fit/dataset.hpp"
#include "analysis/inference/inference.hpp"

namespace loglog {

/// Which rows belong together, and how much each counts.
struct UnitOptions {
    std::string group;  ///< "run", "size", "seed", a column, "none"; empty: by run where a run has several rows
    Repeats repeats = Repeats::each;
};

/// Parses "each", "average", "random-effect". Throws InputError.
Repeats parse_repeats(std::string_view text);

/// Gives `points` their groups and weights, and averages repeated ones. `options.ids` names the row of `data` that each
/// point was made of; it is kept in step, and caveats go into `options.warnings` (code "repeated_run" where rows of one
/// run are grouped unasked; "few_repeats" and "seeds_unsettled" of a random effect). `law` is the one that a random
/// effect is a deviation from; `options.seeds` says what was found.
///
/// Weights come from the column that `mapping` gives for "weight": precisions (1 / variance up to a factor), divided by
/// their mean so that objectives stay comparable. Averages are of ln loss for objectives of logarithms, else of the
/// loss; with least squares the fit is then the same as to all rows. Throws InputError for missing columns and weights
/// that are not positive.
void assign_units(Points& points, InferenceOptions& options, const Dataset& data,
                  const std::map<std::string, std::string>& mapping, const UnitOptions& units, const Law& law);

}  // namespace loglog
