#include "experiments/run/estimate.hpp"

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/models/model_cost.hpp"

namespace loglog {
namespace {

MlpKind mlp_kind(ActivationKind kind) {
    switch (kind) {
        case ActivationKind::gelu: return MlpKind::gelu;
        case ActivationKind::gelu_erf: return MlpKind::gelu_erf;
        case ActivationKind::relu: return MlpKind::relu;
        case ActivationKind::swiglu: return MlpKind::swiglu;
    }
    throw InputError{"unknown activation"};
}

}  // namespace

DecoderConfig decoder_config(const RunSpec& spec) {
    const auto& model = spec.model;
    if (model.attention.kind != AttentionName::dense) {
        throw InputError{"attention kind '" + to_string(model.attention.kind) +
                         "' is not available in this build (available: dense)"};
    }
    const auto& mup = spec.train.mup;
    return {.layers = model.layers,
            .width = model.width,
            .heads = model.heads,
            .kv_heads = model.kv_heads,
            .head_dim = model.head_dim,
            .vocab = model.vocab,
            .context = model.context,
            .norm = model.norm,
            .positions = model.positions,
            .activation = mlp_kind(model.activation),
            .mlp_width = model.mlp_width,
            .tied_head = model.tied_head,
            .qkv_bias = model.qkv_bias,
            .bias = model.bias,
            .dropout = model.dropout,
            .qk_norm = model.qk_norm,
            .z_loss = spec.train.z_loss,
            .parameterization = {.kind = spec.train.parameterization,
                                 .base_width = mup.base_width,
                                 .base_layers = mup.base_layers,
                                 .base_head_dim = mup.base_head_dim,
                                 .depth_alpha = mup.depth_alpha}};
}

RunCost estimate(const RunSpec& spec) {
    const auto config = decoder_config(spec);
    const auto sequences = spec.train.batch_tokens / spec.model.context;
    RunCost cost;
    cost.micro_batch = spec.train.micro_batch > 0 ? std::min(spec.train.micro_batch, sequences)
                                                  : choose_micro_batch(config, sequences);
    const auto counted = count_cost(config, cost.micro_batch);
    cost.parameters = counted.parameters;
    cost.flops_per_token = counted.flops_per_token();
    cost.memory_bytes = counted.memory_bytes();
    return cost;
}

}  // namespace loglog
