#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

namespace loglog {

/// Which of a run's checkpoints stay. The newest always does.
struct KeepRules {
    std::int64_t keep_last = 1;              ///< the newest so many, at least 1
    std::vector<std::int64_t> keep_at = {};  ///< and those of these steps, for good
};

/// What of `steps` need not stay once there is a checkpoint of step `newest`. Those of later steps are what a run left
/// that went on from an earlier one: they go too.
std::vector<std::int64_t> obsolete_steps(std::span<const std::int64_t> steps, std::int64_t newest,
                                         const KeepRules& rules);

/// The newest checkpoint of a run: a file of its own, or another name of the one kept by its step.
std::filesystem::path checkpoint_file(const std::filesystem::path& run_folder);
/// Where a checkpoint that is kept by its step lies: checkpoints/STEP.h5.
std::filesystem::path kept_checkpoint_file(const std::filesystem::path& run_folder, std::int64_t step);
/// Where the checkpoint of a step is written to: by its step if the rules may keep it beyond the next.
std::filesystem::path checkpoint_target(const std::filesystem::path& run_folder, std::int64_t step,
                                        const KeepRules& rules);

/// After the checkpoint of `step` was published at its target: makes it the newest and removes what is obsolete. One
/// rank does this. A kill in between leaves a state that newest_checkpoints() reads.
void place_checkpoint(const std::filesystem::path& run_folder, std::int64_t step, const KeepRules& rules);
/// Of a finished run: removes all but those kept for good.
void remove_checkpoints(const std::filesystem::path& run_folder, const KeepRules& rules);

/// A run's checkpoint: kept by its step, or checkpoint.h5 (no step).
using CheckpointName = std::optional<std::int64_t>;
std::filesystem::path checkpoint_path(const std::filesystem::path& run_folder, const CheckpointName& name);
/// A run's checkpoints, newest first, each file once. A checkpoint.h5 that cannot be read comes first: it may be the
/// newest, and whoever tries it learns why not.
std::vector<CheckpointName> newest_checkpoints(const std::filesystem::path& run_folder);

}  // namespace loglog
