#pragma once

#include <string>
#include <vector>

#include "tests/support/check_gradient.hpp"
#include "tests/support/decoder_case.hpp"

namespace loglog::testing {

inline std::vector<AttentionKind> all_attention_kinds() {
    std::vector<AttentionKind> kinds;
    for (auto kind = AttentionKind::dense; kind <= AttentionKind::gdn;
         kind = static_cast<AttentionKind>(static_cast<int>(kind) + 1)) {
        kinds.push_back(kind);
    }
    return kinds;
}

/// Settings that hide something at eight tokens, in chunks that do not divide them.
inline MixerConfig tiny_mixer(AttentionKind kind) {
    return {.kind = kind,
            .window = 3,
            .sinks = 1,
            .stride = 2,
            .block = 2,
            .summary = 1,
            .global_blocks = 1,
            .random_blocks = 0,
            .top_k = 2,
            .features = 6,
            .pattern = "block 2\n0\n0-1\n0 2\n1 3\n",
            .chunk = 3,
            .conv = -1,
            .output_gate = -1};
}

/// A model with grouped kv heads, rotary positions and qk-norm (or GPT-2's parts) whose layers are of a kind.
inline DecoderConfig tiny_attention_config(AttentionKind kind, bool modern = true) {
    auto config = modern ? tiny_modern_config() : tiny_config();
    config.mlp_width = 24;
    config.attention = tiny_mixer(kind);
    return resolved(config);
}

/// Every sort of layer there is, with a convolution and an output gate where these may be.
inline DecoderConfig tiny_hybrid_config() {
    auto config = tiny_attention_config(AttentionKind::dense);
    config.layers = 4;
    config.layer_attention = {AttentionKind::dense, AttentionKind::window, AttentionKind::ssd, AttentionKind::gdn};
    config.attention.output_gate = 1;
    return resolved(config);
}

/// The loss is known to a few times 1e-16, its differences over a step of 2e-5 to 1e-10, so gradients of less than 1e-4
/// are judged by that size.
inline constexpr GradientTolerance model_gradient_tolerance{.relative = 1e-6, .least = 1e-4};

struct NamedConfig {
    std::string name;
    DecoderConfig config;
};

/// All kinds in a modern model, some in GPT-2's, and a hybrid.
inline std::vector<NamedConfig> attention_configs() {
    std::vector<NamedConfig> result;
    for (const auto kind : all_attention_kinds()) {
        result.push_back({std::string{to_string(kind)}, tiny_attention_config(kind)});
    }
    for (const auto kind : {AttentionKind::window, AttentionKind::ssd, AttentionKind::gla, AttentionKind::gdn}) {
        result.push_back({"gpt2_" + std::string{to_string(kind)}, tiny_attention_config(kind, false)});
    }
    auto gated = tiny_attention_config(AttentionKind::deltanet);
    gated.attention.conv = 3;
    gated.attention.output_gate = 1;
    gated.attention.negative_eigenvalues = true;
    result.push_back({"deltanet_with_extras", gated});
    auto convolved = tiny_attention_config(AttentionKind::retention);
    convolved.attention.conv = 2;
    result.push_back({"retention_with_convolution", convolved});
    auto without_mlp = tiny_attention_config(AttentionKind::ssd);
    without_mlp.activation = MlpKind::none;
    result.push_back({"ssd_without_mlp", resolved(without_mlp)});
    result.push_back({"hybrid", tiny_hybrid_config()});
    return result;
}

}  // namespace loglog::testing
