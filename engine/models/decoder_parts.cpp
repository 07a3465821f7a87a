#include "engine/models/decoder_parts.hpp"

#include <string>

#include "engine/base/error.hpp"
#include "engine/nn/add_parameter.hpp"

namespace loglog {
namespace {

void check(const DecoderConfig& config) {
    const auto found = problems(config);
    if (found.empty()) { return; }
    std::string message = "the model's configuration is invalid:";
    for (const auto& problem : found) { message += "\n  " + problem; }
    throw InputError{message};
}

DecoderBlock make_block(std::vector<ParameterSpec>& specs, const DecoderConfig& c, std::int64_t layer,
                        const ParameterizationRule& rule) {
    const std::string name = "blocks." + std::to_string(layer);
    const auto norm = [&](const std::string& which) {
        return NormLayer{specs, name + which, c.norm, c.width, c.bias, c.norm_epsilon, ParameterClass::hidden_vector,
                         rule};
    };
    const SoftmaxAttention::Options attention{.width = c.width,
                                              .heads = c.heads,
                                              .kv_heads = c.kv_heads,
                                              .head_dim = c.head_dim,
                                              .qkv_bias = c.qkv_bias,
                                              .output_bias = c.bias,
                                              .qk_norm = c.qk_norm,
                                              .dropout = c.dropout,
                                              .init_std = c.init_std,
                                              .norm_epsilon = c.norm_epsilon,
                                              .layer = static_cast<std::uint32_t>(layer)};
    const FeedForward::Options mlp{
        .kind = c.activation, .width = c.width, .hidden = c.mlp_width, .bias = c.bias, .init_std = c.init_std};
    return {.attention_norm = norm(".attention_norm"),
            .attention = {specs, name + ".attention", attention, rule},
            .mlp_norm = norm(".mlp_norm"),
            .mlp = {specs, name + ".mlp", mlp, rule}};
}

}  // namespace

DecoderParts::DecoderParts(const DecoderConfig& config) {
    check(config);
    const ParameterizationRule rule{config.parameterization, config.width, config.layers, config.head_dim};
    token_table = add_normal(specs, "token_embedding", Shape{config.vocab, config.width},
                             ParameterClass::token_embedding, config.init_std, rule);
    specs.back().two_uses = config.tied_head;
    if (config.positions == PositionKind::learned) {
        position_table = add_normal(specs, "position_embedding", Shape{config.context, config.width},
                                    ParameterClass::position_embedding, config.init_std, rule);
    }
    for (std::int64_t layer = 0; layer < config.layers; ++layer) {
        blocks.push_back(make_block(specs, config, layer, rule));
    }
    final_norm.emplace(specs, "final_norm", config.norm, config.width, config.bias, config.norm_epsilon,
                       ParameterClass::final_norm, rule);
    if (!config.tied_head) {
        untied_head = add_normal(specs, "head", Shape{config.vocab, config.width}, ParameterClass::unembedding,
                                 config.init_std, rule);
    }
}

}  // namespace loglog
