#pragma once

#include <cstdint>
#include <vector>

#include "engine/data/dataset.hpp"
#include "experiments/run/window_source.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog {

/// Opens the data set that a spec names; of a probe, one without text.
TokenDataset open_data(const DataSpec& data, OpenCheck check = OpenCheck::checksums);

/// What a resolved run trains on, in its order. `data` is kept by reference.
WindowSource training_windows(const TokenDataset& data, const RunSpec& resolved);

/// The windows of every evaluation of a run.
struct EvaluationWindows {
    std::uint64_t count = 0;
    WindowSource source;
    std::vector<std::uint8_t> recall;  ///< [count, context]: 1 at the targets of recall_tokens(); empty: a probe
};

/// Windows evenly spread over the validation split, or a probe's test examples. Throws InputError for a split that is
/// shorter than one window. `data` is kept by reference.
EvaluationWindows evaluation_windows(const TokenDataset& data, const RunSpec& resolved);

}  // namespace loglog
