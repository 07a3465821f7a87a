#pragma once

#include <string>
#include <vector>

#include "sweeps/plan/cost_book.hpp"
#include "sweeps/space/expand.hpp"
#include "sweeps/space/sweep_spec.hpp"

namespace loglog::detail {

/// An attention of a comparison at one width.
struct SizedVariant {
    RunSpec spec;  ///< not resolved: tokens, seed and learning rate are still to be given
    RunCost cost;
};

/// An attention of a comparison at every width.
struct Variant {
    std::string name;
    double lr = 0;  ///< that the search's factors multiply
    std::vector<SizedVariant> sizes;
};

/// The attentions of a sweep as the models they are in.
struct Variants {
    std::vector<Variant> compared;
    std::size_t dense = 0;  ///< position of the baseline
    Variant control;        ///< the baseline under another name
};

/// Without another word in the sweep they are parameterized by mup, with the first width and its depth as base shape.
/// Throws InputError with everything that is wrong with them.
Variants attention_variants(const SweepSpec& sweep, const DataVocab& data_vocab, CostBook& costs);

}  // namespace loglog::detail
