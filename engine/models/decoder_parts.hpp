#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/models/decoder_config.hpp"
#include "engine/nn/feed_forward.hpp"
#include "engine/nn/norm.hpp"
#include "engine/nn/parameters.hpp"
#include "engine/nn/softmax_attention.hpp"

namespace loglog {

/// What one layer of a decoder is made of.
struct DecoderBlock {
    NormLayer attention_norm;
    SoftmaxAttention attention;
    NormLayer mlp_norm;
    FeedForward mlp;
};

/// A decoder's parts and the list of parameters that they declared; no values yet.
struct DecoderParts {
    /// `config` is resolved. Throws InputError listing every problem.
    explicit DecoderParts(const DecoderConfig& config);

    std::vector<ParameterSpec> specs;
    ParameterId token_table{};
    std::optional<ParameterId> position_table;
    std::vector<DecoderBlock> blocks;
    std::optional<NormLayer> final_norm;
    std::optional<ParameterId> untied_head;
};

}  // namespace loglog
