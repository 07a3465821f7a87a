#include "experiments/run/estimate.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/models/decoder_config.hpp"
#include "engine/models/model_cost.hpp"
#include "experiments/spec/probe_settings.hpp"

namespace loglog {
namespace {

MlpKind mlp_kind(ActivationKind activation) {
    switch (activation) {
        case ActivationKind::gelu:
            return MlpKind::gelu;
        case ActivationKind::gelu_erf:
            return MlpKind::gelu_erf;
        case ActivationKind::relu:
            return MlpKind::relu;
        case ActivationKind::swiglu:
            return MlpKind::swiglu;
        case ActivationKind::none:
            return MlpKind::none;
    }
    throw InputError{"model.activation: no such kind"};
}

/// A kind for each layer; none where all are attention.kind.
std::vector<AttentionKind> layer_attention(const ModelSpec& model) {
    auto kinds = layer_kinds(model);
    const bool uniform = std::ranges::all_of(kinds, [&](auto kind) { return kind == model.attention.kind; });
    return uniform ? std::vector<AttentionKind>{} : kinds;
}

MixerConfig mixer_config(const ModelSpec& model) {
    const AttentionSpec& attention = model.attention;
    const auto kinds = layer_kinds(model);
    const auto softmax = std::ranges::count_if(kinds, is_softmax);
    const bool is_hybrid = softmax > 0 && softmax < std::ssize(kinds);
    return {.kind = attention.kind,
            .window = attention.window,
            .sinks = attention.sinks,
            .stride = attention.stride,
            .block = attention.block,
            .summary = attention.summary,
            .global_blocks = attention.global_blocks,
            .random_blocks = attention.random_blocks,
            .top_k = attention.top_k,
            .features = attention.features,
            .pattern = attention.pattern,
            .chunk = attention.chunk,
            .conv = attention.conv,
            .output_gate = attention.output_gate,
            .negative_eigenvalues = attention.negative_eigenvalues,
            .rotary = attention.rotary_in_hybrid || !is_hybrid};
}

}  // namespace

DecoderConfig decoder_config(const RunSpec& spec) {
    const ModelSpec& model = spec.model;
    const MupSpec& mup = spec.train.mup;
    DecoderConfig config;
    config.layers = model.layers;
    config.width = model.width;
    config.heads = model.heads;
    config.kv_heads = model.kv_heads;
    config.head_dim = model.head_dim;
    config.vocab = model.vocab;
    config.context = model.context;
    config.norm = model.norm;
    config.positions = model.positions;
    config.activation = mlp_kind(model.activation);
    config.mlp_width = model.mlp_width;
    config.tied_head = model.tied_head;
    config.qkv_bias = model.qkv_bias;
    config.bias = model.bias;
    config.dropout = model.dropout;
    config.qk_norm = model.qk_norm;
    config.attention = mixer_config(model);
    config.layer_attention = layer_attention(model);
    config.match_parameters = model.attention.match_parameters;
    config.z_loss = spec.train.z_loss;
    config.labels = spec.data.is_probe() ? labels_per_sequence(spec) : 0;
    config.parameterization.kind = spec.train.parameterization;
    config.parameterization.base_width = mup.base_width;
    config.parameterization.base_layers = mup.base_layers;
    config.parameterization.base_head_dim = mup.base_head_dim;
    config.parameterization.depth_alpha = mup.depth_alpha;
    return config;
}

RunCost estimate(const RunSpec& spec) {
    const DecoderConfig config = decoder_config(spec);
    const std::int64_t sequences = spec.train.batch_tokens / spec.model.context;
    RunCost cost;
    cost.micro_batch = spec.train.micro_batch > 0 ? std::min(spec.train.micro_batch, sequences)
                                                  : choose_micro_batch(config, sequences);
    const ModelCost model = count_cost(config, cost.micro_batch);
    cost.parameters = model.parameters;
    cost.flops_per_token = model.flops_per_token();
    cost.memory_bytes = static_cast<std::int64_t>(model.memory_bytes());
    return cost;
}

}  // namespace loglog
