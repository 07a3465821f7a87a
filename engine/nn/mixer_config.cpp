#include "engine/nn/mixer_config.hpp"

#include <array>
#include <cstddef>

namespace loglog {

std::string_view to_string(AttentionKind kind) noexcept {
    constexpr std::array<std::string_view, 18> names{
        "dense", "window",    "strided",   "fixed",     "bigbird",   "dilated", "pattern", "moba",     "elu",
        "relu",  "performer", "cosformer", "retention", "lightning", "ssd",     "gla",     "deltanet", "gdn"};
    return names[static_cast<std::size_t>(kind)];
}

std::int64_t feature_dim(const MixerConfig& config, std::int64_t head_dim) noexcept {
    switch (config.kind) {
        case AttentionKind::performer:
            return config.features;
        case AttentionKind::cosformer:
            return 2 * head_dim;
        default:
            return head_dim;
    }
}

}  // namespace loglog
