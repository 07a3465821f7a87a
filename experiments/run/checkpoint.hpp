#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "engine/nn/parameters.hpp"

namespace loglog {

/// What a checkpoint says of itself. The data position and the schedule follow from `step`.
struct CheckpointLabel {
    std::string id;
    std::int64_t step = 0;
    std::string tokenizer;  ///< hash of the tokenizer, whose file lies in the registry's folder tokenizers/
};

/// Writes values and both moments by global name and shape, so that any layout can load them (docs/formats.md). The
/// file appears under its name only when it is whole and on the disk.
void save_checkpoint(const std::filesystem::path& path, Parameters& parameters, const CheckpointLabel& label);
/// Restores what save_checkpoint wrote. Throws Error naming the parameter that is missing or of another shape.
CheckpointLabel load_checkpoint(const std::filesystem::path& path, Parameters& parameters);

/// The trained values alone, for generating and scoring.
void save_weights(const std::filesystem::path& path, Parameters& parameters, const CheckpointLabel& label);
CheckpointLabel load_weights(const std::filesystem::path& path, Parameters& parameters);

/// A run folder's files.
std::filesystem::path checkpoint_file(const std::filesystem::path& run_folder);
std::filesystem::path weights_file(const std::filesystem::path& run_folder);

}  // namespace loglog
