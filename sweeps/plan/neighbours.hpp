#pragma once

#include <span>
#include <string>
#include <vector>

#include "experiments/spec/run_spec.hpp"

namespace loglog {

/// A run that was trained, and how well.
struct TrainedRun {
    RunSpec spec;     ///< resolved
    double loss = 0;  ///< nats per token
};

/// Runs like those trained, resolved, at sizes and token counts from the smallest trained to `reach` times the largest
/// (widths to its square root: parameters grow at least with the square). Widths and tokens are those trained and steps
/// of about 2^(1/2) between and beyond them; every other key is that of the trained run nearest in width and tokens,
/// the best of those at one place. Layers of a new width keep width / layers, unless all runs have as many layers;
/// heads follow from head_dim where all runs share it. Widths that no head divides are left out.
std::vector<RunSpec> neighbouring_runs(std::span<const TrainedRun> trained, double reach);

/// sweep.toml (kind grid) that plans just these runs, each with each of these seeds: keys in which they differ vary
/// together, keys that have their default or follow from others are not written. `adds_to` is the key sweep.adds_to;
/// `remarks` are comments at its head. Throws Error if the text, read back, gave other runs.
std::string sweep_file(const std::string& name, std::span<const RunSpec> runs, std::span<const std::int64_t> seeds,
                       const std::string& adds_to, std::span<const std::string> remarks);

}  // namespace loglog
