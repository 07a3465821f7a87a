#pragma once

#include "sweeps/plan/plan.hpp"

namespace loglog::detail {

/// The plan of a sweep of kind attention. Its stages:
///   lr-search   every attention at the first width and seed, with every learning rate
///   main        every attention, width and seed at the best rate found. At the first width and seed this is the
///               search's best run, which is not trained again (PlannedRun::also_main)
///   lr-recheck  every attention at the second width and first seed with half and twice that rate
///   control     dense attention under another name and with other seeds, in place of itself: what differs is noise
/// Runs whose rate is still to be found have no id. Tokens of a size are the same for all attentions: a multiple of the
/// dense model's non-embedding parameters, the largest that the budget pays for where one is given.
///
/// Throws InputError for attentions of the same name or none that is dense, hybrids that do not divide a model's
/// layers, budgets below a batch a run, and for what resolve() and estimate() refuse.
Plan plan_attention_sweep(const SweepSpec& sweep, const DataVocab& data_vocab, const IdentifyRun& identify,
                          const FindLoss& loss_of);

}  // namespace loglog::detail
