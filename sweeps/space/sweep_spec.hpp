#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/spec/field_value.hpp"
#include "sweeps/space/attention_choice.hpp"

namespace loglog {

enum class SweepKind {
    grid,       ///< every combination of what varies
    isoflop,    ///< budgets x sizes: a run's tokens follow from its budget and its exact FLOPs per token
    ladder,     ///< sizes x ratios: a run's tokens are a multiple of its non-embedding parameters
    attention,  ///< attentions x sizes x seeds, each at the learning rate that a search finds for it
};
std::string to_string(SweepKind kind);

/// One thing that varies. `keys` of length 1, or several that vary together ("model.width, model.layers").
struct Axis {
    std::vector<std::string> keys;
    std::vector<std::vector<FieldValue>> points;  ///< each as long as `keys`
    SourcePlace place;
};

/// What a sweep of kind attention compares. One of `budget` and SweepSpec::tokens_per_parameter is given.
struct AttentionComparison {
    std::vector<AttentionChoice> attentions;
    std::vector<std::int64_t> widths;                    ///< learning rates are searched at the first
    double budget = 0;                                   ///< model FLOPs of training, all runs together
    std::vector<double> lr_factors{0.25, 0.5, 1, 2, 4};  ///< of train.optimizer.lr, ascending
};

/// A sweep as written: what every run shares, what varies, and how tokens follow.
struct SweepSpec {
    std::string name;
    SweepKind kind = SweepKind::grid;
    double aspect = 32;                        ///< width / layers, where nothing else says how many layers
    std::vector<double> budgets;               ///< isoflop: model FLOPs of a run
    std::vector<double> tokens_per_parameter;  ///< ladder, attention: per non-embedding parameter
    std::vector<std::int64_t> seeds{1};
    double rank_memory = 0;        ///< bytes; runs that state no layout get the smallest that fits. 0: one rank
    std::vector<Assignment> base;  ///< of every run
    std::vector<Axis> vary;        ///< the first varies slowest
    AttentionComparison comparison;
    std::string adds_to;  ///< SQL over the view `runs`: what these runs complete; empty: they are a study of their own
};

/// Whether the file gives a key of a run, fixed or varied.
bool gives(const SweepSpec& sweep, std::string_view key);
/// Layers of a model of this width where nothing says how many: width / aspect, at least 1.
std::int64_t layers_from_aspect(const SweepSpec& sweep, std::int64_t width);
/// Adds these to a run's assignments if the sweep does not give model.layers itself, so that the run is checked as what
/// it will be.
void assign_layers(const SweepSpec& sweep, std::vector<Assignment>& assignments);

/// Whether the runs' own layout.dp, tp or pp is given, fixed or varied.
bool states_layout(const SweepSpec& sweep);

/// Reads sweep.toml. Throws InputError listing every problem of the file at once, with line and nearest known key.
/// `overrides` as in load_run_spec(); sweep.* and vary.* can be overridden too, but not a run's key that varies.
SweepSpec load_sweep_spec(const std::filesystem::path& file, const std::vector<std::string>& overrides = {});
SweepSpec parse_sweep_spec(std::string_view text, const std::string& source,
                           const std::vector<std::string>& overrides = {});

}  // namespace loglog
