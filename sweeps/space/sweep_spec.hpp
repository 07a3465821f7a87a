#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/spec/field_value.hpp"

namespace loglog {

enum class SweepKind {
    grid,     ///< every combination of what varies
    isoflop,  ///< budgets x sizes: a run's tokens follow from its budget and its exact FLOPs per token
    ladder,   ///< sizes x ratios: a run's tokens are a multiple of its non-embedding parameters
};
std::string to_string(SweepKind kind);

/// One thing that varies. `keys` of length 1, or several that vary together ("model.width, model.layers").
struct Axis {
    std::vector<std::string> keys;
    std::vector<std::vector<FieldValue>> points;  ///< each as long as `keys`
    SourcePlace place;
};

/// A sweep as written: what every run shares, what varies, and how tokens follow.
struct SweepSpec {
    std::string name;
    SweepKind kind = SweepKind::grid;
    double aspect = 32;                        ///< width / layers, where nothing else says how many layers
    std::vector<double> budgets;               ///< isoflop: model FLOPs of a run
    std::vector<double> tokens_per_parameter;  ///< ladder: trained tokens per non-embedding parameter
    std::vector<std::int64_t> seeds{1};
    double rank_memory = 0;        ///< bytes; runs that state no layout get the smallest that fits. 0: one rank
    std::vector<Assignment> base;  ///< of every run
    std::vector<Axis> vary;        ///< the first varies slowest
};

/// Whether the runs' own layout.dp, tp or pp is given, fixed or varied.
bool states_layout(const SweepSpec& sweep);

/// Reads sweep.toml. Throws InputError listing every problem of the file at once, with line and nearest known key.
/// `overrides` as in load_run_spec(); sweep.* and vary.* can be overridden too, but not a run's key that varies.
SweepSpec load_sweep_spec(const std::filesystem::path& file, const std::vector<std::string>& overrides = {});
SweepSpec parse_sweep_spec(std::string_view text, const std::string& source,
                           const std::vector<std::string>& overrides = {});

}  // namespace loglog
