#pragma once

#include <span>
#include <vector>

#include "analysis/inference/inference.hpp"
#include "db/registry/run_record.hpp"

namespace loglog {

/// Caveats of how finished runs were trained, from the registry's columns and the stored specification:
///   long_warmup               warm-up took more than a tenth of some runs' steps, and a smaller share of others'
///   untuned_learning_rate     the best learning rate tried at a size is the lowest or highest that was tried there
///   mixed_learning_rates      runs of one size and token count differ in learning rate: bad ones enter with the best
///   mixed_schedules           the learning-rate schedules differ in kind, decay, final rate or share of cooldown
///   undecayed_losses_mixed    some losses were measured after the learning rate decayed, others at its peak
///   repeated_data             runs saw tokens more than once
/// What a run does not record is not judged. Runs that are not `ok` do not count. `searches` are runs that enter no fit
/// but tell which learning rates were tried.
std::vector<Warning> hygiene_warnings(std::span<const RunRecord> runs, std::span<const RunRecord> searches = {});

}  // namespace loglog
