#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/nn/kinds.hpp"
#include "engine/nn/mixer_config.hpp"
#include "engine/nn/parameterization.hpp"

namespace loglog {

enum class PositionKind : std::uint8_t { learned, rotary, none };

std::string_view to_string(NormKind kind) noexcept;
std::string_view to_string(PositionKind kind) noexcept;
std::string_view to_string(MlpKind kind) noexcept;

/// A decoder-only language model, from GPT-2 (the defaults) to rotary, gated, grouped-query ones. Sizes that are 0
/// follow from the others, see `resolved`.
struct DecoderConfig {
    std::int64_t layers = 2;
    std::int64_t width = 64;
    std::int64_t heads = 0;     ///< 0: width / head_dim
    std::int64_t kv_heads = 0;  ///< 0: heads; fewer share keys and values among groups of query heads
    std::int64_t head_dim = 0;  ///< 0: width / heads; without both, 32 below width 512 and 64 from there on
    std::int64_t vocab = 0;
    std::int64_t context = 256;  ///< longest sequence, in tokens
    NormKind norm = NormKind::layer;
    PositionKind positions = PositionKind::learned;
    double rotary_base = 10'000;
    MlpKind activation = MlpKind::gelu;
    std::int64_t mlp_width = 0;  ///< 0: 4 width, or for swiglu 8/3 width rounded to a multiple of 8
    bool tied_head = true;
    bool qkv_bias = true;
    bool bias = true;  ///< of every other linear layer and of LayerNorm
    double dropout = 0;
    bool qk_norm = false;
    MixerConfig attention;                            ///< of every layer, its kind apart where layer_attention is given
    std::vector<AttentionKind> layer_attention = {};  ///< one a layer; empty: attention.kind in all
    bool match_parameters =
        false;          ///< a layer's MLP is as much narrower as its attention has parameters beyond dense's
    double z_loss = 0;  ///< weight of (log Z)^2
    double labels = 0;  ///< tokens of a sequence that have a target, on average; costs are counted for these. 0: all
    double norm_epsilon = 1e-5;
    double init_std = 0.02;
    Parameterization parameterization;
};

/// Fills in the sizes left at 0.
DecoderConfig resolved(DecoderConfig config);

/// What mixes tokens in layer `layer`, with the kind's defaults filled in.
MixerConfig mixer_config(const DecoderConfig& config, std::int64_t layer);
/// MLP columns of a layer of a resolved configuration: mlp_width, or with match_parameters as many fewer as make up for
/// what the layer's attention has beyond dense attention's parameters, in multiples of 8 (of narrow models, of fewer,
/// where 8 would be off by more than 1 % of the layer), and at least 8.
std::int64_t mlp_width(const DecoderConfig& config, std::int64_t layer);

/// Everything that is wrong with a resolved configuration, one sentence each that starts with the key; empty if valid.
std::vector<std::string> problems(const DecoderConfig& config);

/// What keeps a valid configuration from being cut into `leaves` pieces for tensor parallelism, one sentence each that
/// starts with the key and says what to change; empty if nothing does.
std::vector<std::string> cut_problems(const DecoderConfig& config, std::int64_t leaves);
/// Pieces of a valid configuration under tree reductions, which fix them for every number of ranks: the largest power
/// of two up to 8 that it can be cut into.
std::int64_t tree_leaves(const DecoderConfig& config);

/// Numbers of trained values, every value once.
struct ParameterCounts {
    std::int64_t total = 0;
    std::int64_t embedding = 0;  ///< token and position tables (a tied head is among them)
    std::int64_t head = 0;       ///< an untied output table
    std::int64_t non_embedding() const noexcept { return total - embedding - head; }
};

/// Counts of a resolved configuration; nothing is allocated.
ParameterCounts count_parameters(const DecoderConfig& config);

}  // namespace loglog
