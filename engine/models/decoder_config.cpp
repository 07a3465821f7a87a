#include "engine/models/decoder_config.hpp"

#include <algorithm>
#include <cstdlib>

#include "engine/models/decoder_parts.hpp"

namespace loglog {
namespace {

std::string number(std::int64_t value) { return std::to_string(value); }

void check_sizes(const DecoderConfig& c, std::vector<std::string>& found) {
    const auto positive = [&](const char* key, std::int64_t value) {
        if (value < 1) { found.push_back(std::string{key} + " is " + number(value) + " but must be at least 1"); }
    };
    positive("layers", c.layers);
    positive("width", c.width);
    positive("vocab", c.vocab);
    positive("context", c.context);
    if (c.activation != MlpKind::none) { positive("mlp_width", c.mlp_width); }
    if (c.heads < 1 || c.head_dim < 1) {
        found.push_back("heads x head_dim is " + number(c.heads) + " x " + number(c.head_dim) + " for width " +
                        number(c.width) + ", but both must be at least 1");
    }
    if (c.kv_heads < 1 || c.heads % c.kv_heads != 0) {
        found.push_back("kv_heads is " + number(c.kv_heads) + " but must divide heads, which is " + number(c.heads));
    }
    if (c.positions == PositionKind::rotary && c.head_dim % 2 != 0) {
        found.push_back("head_dim is " + number(c.head_dim) + " but must be even for rotary positions");
    }
}

void check_numbers(const DecoderConfig& c, std::vector<std::string>& found) {
    const auto check = [&](bool good, const char* key, double value, const char* wanted) {
        if (!good) { found.push_back(std::string{key} + " is " + std::to_string(value) + " but must be " + wanted); }
    };
    check(c.dropout >= 0 && c.dropout < 1, "dropout", c.dropout, "at least 0 and below 1");
    check(c.z_loss >= 0, "z_loss", c.z_loss, "at least 0");
    check(c.norm_epsilon > 0, "norm_epsilon", c.norm_epsilon, "above 0");
    check(c.init_std >= 0, "init_std", c.init_std, "at least 0");
    check(c.rotary_base > 1, "rotary_base", c.rotary_base, "above 1");
    const auto& p = c.parameterization;
    check(p.base_width > 0, "base_width", static_cast<double>(p.base_width), "at least 1");
    check(p.base_layers > 0, "base_layers", static_cast<double>(p.base_layers), "at least 1");
    check(p.base_head_dim > 0, "base_head_dim", static_cast<double>(p.base_head_dim), "at least 1");
}

void check_attention(const DecoderConfig& c, std::vector<std::string>& found) {
    const auto layers = static_cast<std::int64_t>(c.layer_attention.size());
    if (layers != 0 && layers != c.layers) {
        found.push_back("layer_attention has " + number(layers) + " kinds but must have one for each of the " +
                        number(c.layers) + " layers");
    }
    const auto at_least = [&](const char* key, std::int64_t value, std::int64_t least) {
        if (value >= least) { return; }
        found.push_back(std::string{"attention."} + key + " is " + number(value) + " but must be at least " +
                        number(least));
    };
    const auto& a = c.attention;
    at_least("window", a.window, 1);
    at_least("sinks", a.sinks, 0);
    at_least("stride", a.stride, 1);
    at_least("block", a.block, 1);
    at_least("summary", a.summary, 0);
    at_least("top_k", a.top_k, 1);
    at_least("features", a.features, 1);
    at_least("chunk", a.chunk, 1);
    at_least("conv", a.conv, -1);
    if (a.conv > 8) { found.push_back("attention.conv is " + number(a.conv) + " taps but must be at most 8"); }
}

}  // namespace

std::string_view to_string(NormKind kind) noexcept { return kind == NormKind::layer ? "layer" : "rms"; }

std::string_view to_string(PositionKind kind) noexcept {
    switch (kind) {
        case PositionKind::learned:
            return "learned";
        case PositionKind::rotary:
            return "rotary";
        case PositionKind::none:
            break;
    }
    return "none";
}

std::string_view to_string(MlpKind kind) noexcept {
    switch (kind) {
        case MlpKind::gelu:
            return "gelu";
        case MlpKind::gelu_erf:
            return "gelu_erf";
        case MlpKind::relu:
            return "relu";
        case MlpKind::none:
            return "none";
        case MlpKind::swiglu:
            break;
    }
    return "swiglu";
}

DecoderConfig resolved(DecoderConfig config) {
    if (config.heads == 0 && config.head_dim == 0) { config.head_dim = config.width < 512 ? 32 : 64; }
    if (config.heads == 0 && config.head_dim > 0 && config.width % config.head_dim == 0) {
        config.heads = config.width / config.head_dim;
    }
    if (config.head_dim == 0 && config.heads > 0 && config.width % config.heads == 0) {
        config.head_dim = config.width / config.heads;
    }
    if (config.kv_heads == 0) { config.kv_heads = config.heads; }
    if (config.activation == MlpKind::none) { config.mlp_width = 0; }
    if (config.mlp_width == 0 && config.activation != MlpKind::none) {
        const bool gated = config.activation == MlpKind::swiglu;
        config.mlp_width = gated ? (8 * config.width / 3 + 4) / 8 * 8 : 4 * config.width;
    }
    return config;
}

MixerConfig mixer_config(const DecoderConfig& config, std::int64_t layer) {
    MixerConfig mixer = config.attention;
    if (!config.layer_attention.empty()) { mixer.kind = config.layer_attention[static_cast<std::size_t>(layer)]; }
    if (is_softmax(mixer.kind)) {
        mixer.conv = mixer.output_gate = 0;
    } else {
        if (mixer.conv < 0) { mixer.conv = default_conv(mixer.kind); }
        if (mixer.output_gate < 0) { mixer.output_gate = default_output_gate(mixer.kind) ? 1 : 0; }
    }
    return mixer;
}

std::int64_t mlp_width(const DecoderConfig& config, std::int64_t layer) {
    if (!config.match_parameters || config.activation == MlpKind::none) { return config.mlp_width; }
    DecoderConfig dense = config;
    dense.attention = {};
    dense.layer_attention.clear();
    const auto dense_attention = attention_parameters(dense, layer);
    const auto extra = attention_parameters(config, layer) - dense_attention;
    const auto matrices = config.activation == MlpKind::swiglu ? 3 : 2;
    const auto column = matrices * config.width + (config.bias ? matrices - 1 : 0);  // parameters per MLP column
    const auto allowed = (dense_attention + column * config.mlp_width) / 100;
    std::int64_t removed = 0;
    for (std::int64_t multiple = 8; multiple >= 1; multiple /= 2) {
        removed = (extra + column * multiple / 2) / (column * multiple) * multiple;
        if (std::abs(removed * column - extra) <= allowed) { break; }
    }
    return std::max(config.mlp_width - removed, std::min<std::int64_t>(config.mlp_width, 8));
}

std::vector<std::string> problems(const DecoderConfig& config) {
    std::vector<std::string> found;
    check_sizes(config, found);
    check_numbers(config, found);
    check_attention(config, found);
    return found;
}

std::vector<std::string> cut_problems(const DecoderConfig& config, std::int64_t leaves) {
    std::vector<std::string> found;
    if (leaves < 1) { return {"tensor-parallel pieces are " + number(leaves) + " but must be at least 1"}; }
    const auto pieces = " tensor-parallel pieces";
    const auto divisible = [&](const char* key, std::int64_t value) {
        if (value % leaves == 0) { return; }
        found.push_back(std::string{key} + " is " + number(value) + " but must be a multiple of the " + number(leaves) +
                        pieces + ": make it " + number((value / leaves + 1) * leaves) + ", or tp smaller");
    };
    divisible("heads", config.heads);
    for (std::int64_t layer = 0; layer < config.layers; ++layer) {
        const auto width = mlp_width(config, layer);
        if (layer > 0 && width == mlp_width(config, layer - 1)) { continue; }
        divisible("mlp_width", width);
    }
    if (config.kv_heads % leaves != 0 && leaves % config.kv_heads != 0) {
        found.push_back("kv_heads is " + number(config.kv_heads) + " but must divide the " + number(leaves) + pieces +
                        " or be a multiple of them: change kv_heads or tp");
    }
    return found;
}

std::int64_t tree_leaves(const DecoderConfig& config) {
    std::int64_t leaves = 8;
    while (leaves > 1 && !cut_problems(config, leaves).empty()) { leaves /= 2; }
    return leaves;
}

ParameterCounts count_parameters(const DecoderConfig& config) {
    ParameterCounts counts;
    for (const auto& spec : DecoderParts{config}.specs) {
        const auto elements = spec.shape.elements();
        counts.total += elements;
        const bool table =
            spec.kind == ParameterClass::token_embedding || spec.kind == ParameterClass::position_embedding;
        if (table) { counts.embedding += elements; }
        if (spec.kind == ParameterClass::unembedding) { counts.head += elements; }
    }
    return counts;
}

}  // namespace loglog
