#include "engine/models/state_size.hpp"

#include <algorithm>

namespace loglog {
namespace {

/// Keys of a sequence of `time` tokens that its last query or a later one may see.
std::int64_t keys_kept(const MixerConfig& mixer, std::int64_t time) {
    switch (mixer.kind) {
        case AttentionKind::window:
            return std::min(time, mixer.window + mixer.sinks);
        case AttentionKind::dilated:
            return std::min(time, (mixer.window - 1) * mixer.stride + 1);
        case AttentionKind::fixed: {
            // Of the block that is being filled all keys, of those before it the last ones.
            const auto earlier = time / mixer.block;
            return earlier * std::min(mixer.summary, mixer.block) + time % mixer.block;
        }
        default:
            return time;  // strided: later queries take turns to see all keys; bigbird, pattern: any may be chosen
    }
}

std::int64_t softmax_elements(const DecoderConfig& c, const MixerConfig& mixer, std::int64_t time) {
    const auto keys_and_values = c.kv_heads * keys_kept(mixer, time) * 2 * c.head_dim;
    const bool chooses = mixer.kind == AttentionKind::moba;
    return keys_and_values + (chooses ? c.kv_heads * c.head_dim * (time / mixer.block) : 0);
}

bool is_normalized(AttentionKind kind) {
    return kind == AttentionKind::elu || kind == AttentionKind::performer || kind == AttentionKind::cosformer;
}

std::int64_t linear_elements(const DecoderConfig& c, const MixerConfig& mixer) {
    const auto key_dim = feature_dim(mixer, c.head_dim);
    const auto state = c.heads * key_dim * c.head_dim;
    const auto normalizer = is_normalized(mixer.kind) ? c.heads * key_dim : 0;
    const auto channels = (c.heads + 2 * c.kv_heads) * c.head_dim;
    return state + normalizer + channels * std::max<std::int64_t>(mixer.conv - 1, 0);
}

}  // namespace

std::int64_t state_elements(const DecoderConfig& config, std::int64_t layer, std::int64_t time) {
    const auto mixer = mixer_config(config, layer);
    return is_softmax(mixer.kind) ? softmax_elements(config, mixer, time) : linear_elements(config, mixer);
}

std::int64_t state_elements(const DecoderConfig& config, std::int64_t time) {
    std::int64_t sum = 0;
    for (std::int64_t layer = 0; layer < config.layers; ++layer) { sum += state_elements(config, layer, time); }
    return sum;
}

std::size_t state_bytes(const DecoderConfig& config, std::int64_t layer, std::int64_t time, DType dtype) {
    return static_cast<std::size_t>(state_elements(config, layer, time)) * size_of(dtype);
}

}  // namespace loglog
