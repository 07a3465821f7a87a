#pragma once

#include <array>
#include <cstdint>

#include "engine/nn/mixer_config.hpp"
#include "engine/nn/step_info.hpp"
#include "engine/ops/heads.hpp"
#include "engine/ops/linear_options.hpp"
#include "engine/tensor/arena.hpp"
#include "engine/tensor/tensor.hpp"

// What the kinds of mixing tokens share. A mixer turns queries, keys, values and gates of a rank's heads into outputs
// of these heads; projections and all communication are the layer's around it.
namespace loglog {

/// The heads of a layer that lie on this rank: neighbours, leaf after leaf.
struct LocalHeads {
    std::int64_t heads = 0;
    std::int64_t kv_heads = 0;
    std::int64_t leaves = 1;
    std::int64_t first_head = 0;  ///< global index
};

/// What a mixer is told once.
struct MixerOptions {
    MixerConfig config;
    std::int64_t heads = 0;  ///< of the whole layer, like kv_heads
    std::int64_t kv_heads = 0;
    std::int64_t head_dim = 0;
    std::int64_t context = 0;  ///< longest sequence
    double scale = 1;          ///< of the scores
    double dropout = 0;        ///< of softmax kinds' probabilities
    double init_std = 0;
    std::uint32_t layer = 0;  ///< global index
};

/// What a mixer is given: projections after convolution, normalisation and rotation.
struct MixerInput {
    Heads q;
    Heads k;
    Heads v;
    std::array<Tensor, 2> gates;  ///< [rows, columns]: projections of the kind's own gates, in the order it named them
    LocalHeads local;
    std::int64_t time = 1;  ///< tokens per sequence
    StepInfo info;
};

/// What decoding keeps of one sequence's past in one layer. Tensors that a kind does not need have no data.
struct MixerState {
    Tensor keys;        ///< softmax kinds: [capacity, kv_heads, head_dim]
    Tensor values;      ///< the same
    Tensor state;       ///< linear kinds: [heads, key_dim, value_dim]
    Tensor normalizer;  ///< of feature maps: [heads, key_dim]
    Tensor past;        ///< inputs of the short convolution, [taps - 1, channels]
};

/// Forgets the past: before the first token of another sequence.
void clear(MixerState& state);

inline Tensor allocated(Arena& arena, const Shape& shape, DType dtype) {
    Tensor tensor{nullptr, shape, dtype, nullptr};
    tensor.data = arena.allocate(tensor.bytes());
    return tensor;
}

inline LinearAttentionOptions linear_attention_options(const MixerOptions& options, const MixerInput& input) {
    return {.time = input.time,
            .key_dim = options.head_dim,
            .value_dim = options.head_dim,
            .chunk = options.config.chunk,
            .scale = options.scale,
            .document_start = input.info.document_start};
}

}  // namespace loglog
