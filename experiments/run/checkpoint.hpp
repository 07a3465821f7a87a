#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/nn/parameters.hpp"
#include "engine/nn/state_piece.hpp"
#include "experiments/run/checkpoint_rules.hpp"

namespace loglog {

class Communicator;

/// What a checkpoint says of itself. The data position and the schedule follow from `step`.
struct CheckpointLabel {
    std::string id;
    std::int64_t step = 0;
    std::string tokenizer;  ///< hash of the tokenizer, whose file lies in the registry's folder tokenizers/
};

/// What one rank has of a run's state.
struct ShardedState {
    Parameters& parameters;
    std::span<const StatePiece> pieces;  ///< of which this rank has the moments
    bool writes_values = true;           ///< on one of the ranks that hold the same values: the first data-parallel one
    bool writes_moments = true;          ///< likewise, or on all of them where each has a share (ZeRO)
    const Communicator* run = nullptr;   ///< all ranks of the run; null: this process has everything
};

/// Writes values and both moments by global name and shape, so that any layout can load them (docs/formats.md). The
/// file appears under its name only when it is whole and on the disk. Collective over the run: what fails on one rank
/// throws Error on all.
void save_checkpoint(const std::filesystem::path& path, const ShardedState& state, const CheckpointLabel& label);
void save_checkpoint(const std::filesystem::path& path, Parameters& parameters, const CheckpointLabel& label);
/// Restores this rank's part of what save_checkpoint wrote under any layout. Not collective. Throws Error naming the
/// parameter that is missing or of another shape.
CheckpointLabel load_checkpoint(const std::filesystem::path& path, const ShardedState& state);
CheckpointLabel load_checkpoint(const std::filesystem::path& path, Parameters& parameters);

/// The trained values alone, for generating and scoring.
void save_weights(const std::filesystem::path& path, const ShardedState& state, const CheckpointLabel& label);
void save_weights(const std::filesystem::path& path, Parameters& parameters, const CheckpointLabel& label);
CheckpointLabel load_weights(const std::filesystem::path& path, Parameters& parameters);

/// Saves the run's newest checkpoint and removes those that the rules no longer keep. Collective over the run.
void store_checkpoint(const std::filesystem::path& run_folder, const ShardedState& state, const CheckpointLabel& label,
                      const KeepRules& rules);

struct RestoredCheckpoint {
    CheckpointLabel label;
    std::filesystem::path file;
    std::vector<std::string> refused;  ///< why newer files were not taken, one sentence each
};
/// Loads the newest checkpoint that every rank can read, going back to older ones; nothing where there is none.
/// Collective over the run. Throws Error saying why for each when there are some but none can be read.
std::optional<RestoredCheckpoint> restore_newest(const std::filesystem::path& run_folder, const ShardedState& state);

/// A run folder's file of trained values.
std::filesystem::path weights_file(const std::filesystem::path& run_folder);

}  // namespace loglog
