#include "experiments/run/trained_model.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "db/registry/external_run.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/checkpoint.hpp"
#include "experiments/run/estimate.hpp"
#include "experiments/run/run_folder.hpp"

namespace loglog {
namespace {

std::filesystem::path tokenizer_file(const std::filesystem::path& registry, const std::string& hash) {
    return registry / "tokenizers" / (hash + ".json");
}

}  // namespace

void store_tokenizer(const std::filesystem::path& registry, const Tokenizer& tokenizer) {
    const auto file = tokenizer_file(registry, tokenizer.hash());
    if (std::filesystem::exists(file)) { return; }
    std::filesystem::create_directories(file.parent_path());
    // Several ranks may store the same tokenizer at once: each renames a whole file of its own over it.
    const std::filesystem::path partial = fmt::format("{}.{}.partial", file.string(), getpid());
    tokenizer.save(partial.string());
    std::filesystem::rename(partial, file);
}

TrainedModel load_trained_model(const std::filesystem::path& registry, const RunRecord& record) {
    if (is_external(record)) {
        throw InputError{
            fmt::format("run {} was imported from another program: its weights are not here; only runs "
                        "trained by this one can be sampled from and scored with",
                        record.id)};
    }
    const auto folder = run_folder(registry, record.id);
    const auto weights = std::filesystem::exists(weights_file(folder)) ? weights_file(folder) : checkpoint_file(folder);
    if (!std::filesystem::exists(weights)) {
        throw InputError{fmt::format("run {} ({}) has no weights: neither {} nor a checkpoint is in its folder",
                                     record.id, to_text(record.state), weights_file(folder).string())};
    }
    const auto spec = run_spec_from_json(record.spec);
    Decoder model{decoder_config(spec), Purpose::inference};
    const auto label = load_weights(weights, model.parameters());
    return {spec, std::move(model), Tokenizer::load(tokenizer_file(registry, label.tokenizer).string()), label.step};
}

}  // namespace loglog
