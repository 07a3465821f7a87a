#pragma once

#include <filesystem>

#include "db/registry/run_record.hpp"
#include "engine/models/decoder.hpp"
#include "engine/tokenizer/tokenizer.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog {

/// Keeps a tokenizer with the registry, once for all its runs: registry/tokenizers/HASH.json. So a registry folder
/// alone is enough to generate and score.
void store_tokenizer(const std::filesystem::path& registry, const Tokenizer& tokenizer);

/// A run's model and how it reads text.
struct TrainedModel {
    RunSpec spec;
    Decoder model;
    Tokenizer tokenizer;
    std::int64_t step;  ///< optimizer steps behind the weights
};

/// The final weights of a finished run, or those of a run's last checkpoint. Throws InputError when it has neither.
TrainedModel load_trained_model(const std::filesystem::path& registry, const RunRecord& record);

}  // namespace loglog
