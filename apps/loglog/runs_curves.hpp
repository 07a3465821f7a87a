#pragma once

#include <span>
#include <string>
#include <utility>

#include "experiments/run/curves.hpp"

namespace loglog {

using NamedCurves = std::pair<std::string, Curves>;  ///< a run's id and what it measured

/// One line a step or evaluation, unsampled: id, series (train or eval), step, ... ; what a series lacks is empty.
std::string curves_as_csv(std::span<const NamedCurves> runs);
/// [{"id", "train": {"step": [...], "loss": [...], ...}, "eval": {...}}, ...]; NaN and infinities as null.
std::string curves_as_json(std::span<const NamedCurves> runs);

}  // namespace loglog
