#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace loglog {

/// How a layer mixes tokens along time. The first eight are softmax attention over all or some earlier keys; the others
/// are linear in the length: a state of fixed size is updated token by token.
enum class AttentionKind : std::uint8_t {
    dense,
    window,
    strided,
    fixed,
    bigbird,
    dilated,
    pattern,
    moba,
    elu,
    relu,
    performer,
    cosformer,
    retention,
    lightning,
    ssd,
    gla,
    deltanet,
    gdn,
};

/// Whether a kind's weights are a softmax over keys: it caches keys and values and turns them by their position.
constexpr bool is_softmax(AttentionKind kind) noexcept { return kind <= AttentionKind::moba; }

/// Everything that kinds of attention can be told; a kind reads its own fields only.
struct MixerConfig {
    AttentionKind kind = AttentionKind::dense;
    std::int64_t window = 256;       ///< window: keys seen, the query's own included; dilated: steps of `stride`
    std::int64_t sinks = 0;          ///< window: first keys of the sequence that all queries see
    std::int64_t stride = 32;        ///< strided: keys seen, and distance of further ones; dilated: distance
    std::int64_t block = 64;         ///< fixed, bigbird, moba: keys in a block
    std::int64_t summary = 8;        ///< fixed: last keys of each block that all later queries see
    std::int64_t global_blocks = 1;  ///< bigbird: first blocks that all see
    std::int64_t random_blocks = 2;  ///< bigbird: drawn per layer, head and query block
    std::int64_t top_k = 4;          ///< moba: blocks seen, the query's own included
    std::int64_t features = 64;      ///< performer: random features per head
    std::string pattern;             ///< pattern: the file's text (not its name): see attention_mask.hpp
    std::int64_t chunk = 64;         ///< linear kinds: tokens done at once; part of what the bits depend on
    std::int64_t conv = 0;           ///< linear kinds: taps of the causal convolution of q, k and v; 0: none; -1: the
                                     ///< kind's default_conv
    std::int64_t output_gate = 0;    ///< linear kinds: 1: sigmoid gate on the output; -1: default_output_gate
    bool negative_eigenvalues = false;  ///< deltanet, gdn: beta in (0, 2) instead of (0, 1)
    bool rotary = true;                 ///< whether a model with rotary positions turns this layer's queries and keys
};

/// Taps of the convolution in the kind's published form (Yang et al. 2024, arXiv:2412.06464).
constexpr std::int64_t default_conv(AttentionKind kind) noexcept { return kind == AttentionKind::gdn ? 4 : 0; }
/// Whether the kind's published form has an output gate (Qin et al. 2024, arXiv:2401.04658).
constexpr bool default_output_gate(AttentionKind kind) noexcept { return kind == AttentionKind::lightning; }

std::string_view to_string(AttentionKind kind) noexcept;

/// Channels of a head's keys where they meet queries, after the kind's feature map.
std::int64_t feature_dim(const MixerConfig& config, std::int64_t head_dim) noexcept;

}  // namespace loglog
