#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/models/decoder_config.hpp"
#include "engine/models/model_part.hpp"
#include "engine/nn/attention_layer.hpp"
#include "engine/nn/feed_forward.hpp"
#include "engine/nn/norm.hpp"
#include "engine/nn/parameters.hpp"

namespace loglog {

/// What one layer of a decoder is made of.
struct DecoderBlock {
    NormLayer attention_norm;
    AttentionLayer attention;
    std::optional<NormLayer> mlp_norm;  ///< neither where the model has no MLP
    std::optional<FeedForward> mlp;
};

/// Neighbouring parameters of a model's list, [first, last).
struct ParameterRange {
    std::size_t first = 0;
    std::size_t last = 0;

    std::size_t count() const noexcept { return last - first; }
    bool contains(ParameterId id) const noexcept {
        return static_cast<std::size_t>(id) >= first && static_cast<std::size_t>(id) < last;
    }
    bool operator==(const ParameterRange&) const = default;
};

/// A decoder's parts and the list of parameters that they declared; no values yet. The list is the same for every part
/// of a model.
struct DecoderParts {
    /// `config` is resolved. Throws InputError listing every problem, also of cutting it into that many leaves.
    explicit DecoderParts(const DecoderConfig& config, const ModelPart& part = {});

    bool has_layer(std::int64_t layer) const { return layer_present[static_cast<std::size_t>(layer)]; }

    std::vector<ParameterSpec> specs;
    ParameterId token_table{};
    std::optional<ParameterId> position_table;
    std::vector<DecoderBlock> blocks;              ///< all layers, whether here or not
    std::vector<ParameterRange> layer_parameters;  ///< of each layer
    std::vector<bool> layer_present;
    std::optional<NormLayer> final_norm;
    std::optional<ParameterId> untied_head;
};

/// Trained values of one layer's attention, without its norm.
std::int64_t attention_parameters(const DecoderConfig& config, std::int64_t layer);

}  // namespace loglog
