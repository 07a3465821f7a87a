#include "engine/models/decoder_parts.hpp"

#include <algorithm>
#include <string>

#include "engine/base/error.hpp"
#include "engine/nn/add_parameter.hpp"

namespace loglog {
namespace {

void check(const DecoderConfig& config, const ModelPart& part) {
    auto found = problems(config);
    if (found.empty()) { found = cut_problems(config, part.tensor.leaves); }
    for (const auto& chunk : part.chunks) {
        if (chunk.first < 0 || chunk.first > chunk.last || chunk.last > config.layers) {
            found.push_back("layers are " + std::to_string(config.layers) + " but a pipeline chunk is [" +
                            std::to_string(chunk.first) + ", " + std::to_string(chunk.last) + ")");
        }
    }
    if (found.empty()) { return; }
    std::string message = "the model's configuration is invalid:";
    for (const auto& problem : found) { message += "\n  " + problem; }
    throw InputError{message};
}

bool is_in(const ModelPart& part, std::int64_t layer) {
    const auto has = [&](const LayerRange& chunk) { return layer >= chunk.first && layer < chunk.last; };
    return part.chunks.empty() || std::any_of(part.chunks.begin(), part.chunks.end(), has);
}

AttentionLayer::Options attention_options(const DecoderConfig& c, std::int64_t layer,
                                          const ParameterizationRule& rule) {
    const auto mixer = mixer_config(c, layer);
    const bool rotates = is_softmax(mixer.kind) ? mixer.rotary : mixer.kind == AttentionKind::retention;
    return {.width = c.width,
            .qkv_bias = c.qkv_bias,
            .output_bias = c.bias,
            .qk_norm = c.qk_norm,
            .rotates = c.positions == PositionKind::rotary && rotates,
            .norm_epsilon = c.norm_epsilon,
            .mixer = {.config = mixer,
                      .heads = c.heads,
                      .kv_heads = c.kv_heads,
                      .head_dim = c.head_dim,
                      .context = c.context,
                      .scale = rule.attention_scale(),
                      .dropout = c.dropout,
                      .init_std = c.init_std,
                      .layer = static_cast<std::uint32_t>(layer)}};
}

DecoderBlock make_block(std::vector<ParameterSpec>& specs, const DecoderConfig& c, std::int64_t layer,
                        const ParameterizationRule& rule) {
    const std::string name = "blocks." + std::to_string(layer);
    const auto norm = [&](const std::string& which) {
        return NormLayer{specs, name + which, c.norm, c.width, c.bias, c.norm_epsilon, ParameterClass::hidden_vector,
                         rule};
    };
    DecoderBlock block{.attention_norm = norm(".attention_norm"),
                       .attention = {specs, name + ".attention", attention_options(c, layer, rule), rule},
                       .mlp_norm = {},
                       .mlp = {}};
    if (c.activation == MlpKind::none) { return block; }
    const FeedForward::Options mlp{
        .kind = c.activation, .width = c.width, .hidden = mlp_width(c, layer), .bias = c.bias, .init_std = c.init_std};
    block.mlp_norm = norm(".mlp_norm");
    block.mlp.emplace(specs, name + ".mlp", mlp, rule);
    return block;
}

}  // namespace

std::int64_t attention_parameters(const DecoderConfig& config, std::int64_t layer) {
    const ParameterizationRule rule{config.parameterization, config.width, config.layers, config.head_dim};
    std::vector<ParameterSpec> specs;
    const AttentionLayer declared{specs, "attention", attention_options(config, layer, rule), rule};
    std::int64_t total = 0;
    for (const auto& spec : specs) { total += spec.shape.elements(); }
    return total;
}

DecoderParts::DecoderParts(const DecoderConfig& config, const ModelPart& part) {
    check(config, part);
    const ParameterizationRule rule{config.parameterization, config.width, config.layers, config.head_dim};
    const Cut vocabulary{.axis = Cut::Axis::rows,
                         .blocks = {{.rows = config.vocab, .units = config.vocab, .padded = true}}};
    token_table = add_normal(specs, "token_embedding", Shape{config.vocab, config.width},
                             ParameterClass::token_embedding, config.init_std, rule, vocabulary);
    auto& table = specs.back();
    table.two_uses = config.tied_head;
    table.present = part.embedding || (config.tied_head && part.head);
    table.first_use_here = part.embedding;
    table.second_use_here = part.head;
    if (config.positions == PositionKind::learned) {
        position_table = add_normal(specs, "position_embedding", Shape{config.context, config.width},
                                    ParameterClass::position_embedding, config.init_std, rule);
        specs.back().present = part.embedding;
    }
    for (std::int64_t layer = 0; layer < config.layers; ++layer) {
        const auto first = specs.size();
        blocks.push_back(make_block(specs, config, layer, rule));
        layer_parameters.push_back({first, specs.size()});
        layer_present.push_back(is_in(part, layer));
        for (auto id = first; id < specs.size(); ++id) { specs[id].present = layer_present.back(); }
    }
    const auto head = specs.size();
    final_norm.emplace(specs, "final_norm", config.norm, config.width, config.bias, config.norm_epsilon,
                       ParameterClass::final_norm, rule);
    if (!config.tied_head) {
        untied_head = add_normal(specs, "head", Shape{config.vocab, config.width}, ParameterClass::unembedding,
                                 config.init_std, rule, vocabulary);
    }
    for (auto id = head; id < specs.size(); ++id) { specs[id].present = part.head; }
}

}  // namespace loglog
