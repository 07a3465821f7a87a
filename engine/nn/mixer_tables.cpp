#include "engine/nn/mixer_tables.hpp"

#include <algorithm>
#include <cmath>

#include "engine/ops/feature_maps.hpp"

namespace loglog {
namespace {

// What is drawn belongs to the model, not to a run: runs that differ in their seed alone share it.
constexpr Seed constants_seed{0};

/// Sun et al. 2023, arXiv:2307.08621, sec. 2.2; ALiBi's slopes (Press et al. 2022, arXiv:2108.12409, sec. 3), as used
/// by Qin et al. 2024, arXiv:2401.04658.
double log_decay(AttentionKind kind, std::int64_t head, std::int64_t heads) {
    const auto h = static_cast<double>(head);
    if (kind == AttentionKind::retention) { return std::log1p(-std::exp2(-5 - h)); }
    return -std::exp2(-8 * (h + 1) / static_cast<double>(heads));
}

/// No mask: dense and moba.
std::unique_ptr<AttentionMask> make_mask(const MixerOptions& layer, const LocalHeads& local) {
    const auto& c = layer.config;
    const auto own = [](AttentionMask&& mask) { return std::make_unique<AttentionMask>(std::move(mask)); };
    switch (c.kind) {
        case AttentionKind::window:
            return own(window_mask(layer.context, c.window, c.sinks));
        case AttentionKind::strided:
            return own(strided_mask(layer.context, c.stride));
        case AttentionKind::fixed:
            return own(fixed_mask(layer.context, c.block, c.summary));
        case AttentionKind::dilated:
            return own(dilated_mask(layer.context, c.window, c.stride));
        case AttentionKind::bigbird:
            return own(bigbird_mask(
                layer.context, {.block = c.block, .global_blocks = c.global_blocks, .random_blocks = c.random_blocks},
                constants_seed, layer.layer, local.first_head, local.heads));
        case AttentionKind::pattern:
            return own(pattern_mask(layer.context, c.pattern));
        default:
            return nullptr;
    }
}

}  // namespace

MixerTables::MixerTables(std::span<const MixerOptions> layers, const LocalHeads& local, RotaryTable rotary, DType dtype,
                         Backing backing)
    : rotary_{std::move(rotary)} {
    for (const auto& layer : layers) {
        const auto kind = layer.config.kind;
        add_mask(layer, local);
        if (kind == AttentionKind::performer) {
            const Tensor directions =
                add(kind, layer.layer, Shape{layer.config.features, layer.head_dim}, dtype, backing);
            if (backing == Backing::memory) { performer_directions(directions, constants_seed, layer.layer); }
        }
        const bool has_decays = kind == AttentionKind::retention || kind == AttentionKind::lightning;
        if (!has_decays || find(kind, 0).data != nullptr) { continue; }
        const Tensor decays = add(kind, 0, Shape{local.heads}, dtype, backing);
        if (backing != Backing::memory) { continue; }
        with_dtype(dtype, [&]<class T>(T) {
            for (std::int64_t head = 0; head < local.heads; ++head) {
                decays.values<T>()[static_cast<std::size_t>(head)] =
                    static_cast<T>(log_decay(kind, local.first_head + head, layer.heads));
            }
        });
    }
}

void MixerTables::add_mask(const MixerOptions& layer, const LocalHeads& local) {
    const auto kind = layer.config.kind;
    const auto known = std::ranges::find_if(masks_, [&](const Mask& mask) {
        return mask.kind == kind && (kind != AttentionKind::bigbird || mask.layer == layer.layer);
    });
    if (known != masks_.end()) {
        layer_masks_.push_back(known->mask.get());
        return;
    }
    auto mask = make_mask(layer, local);
    layer_masks_.push_back(mask.get());
    if (mask != nullptr) { masks_.push_back({kind, layer.layer, std::move(mask)}); }
}

const AttentionMask* MixerTables::mask(std::uint32_t layer) const { return layer_masks_[layer]; }

Tensor MixerTables::find(AttentionKind kind, std::uint32_t layer) const {
    const auto found = std::ranges::find_if(
        constants_, [&](const Constant& constant) { return constant.kind == kind && constant.layer == layer; });
    return found == constants_.end() ? Tensor{} : found->tensor;
}

Tensor MixerTables::add(AttentionKind kind, std::uint32_t layer, const Shape& shape, DType dtype, Backing backing) {
    Tensor tensor{nullptr, shape, dtype, nullptr};
    Storage storage{backing, tensor.bytes()};
    tensor.data = storage.data();
    constants_.push_back({kind, layer, std::move(storage), tensor});
    return tensor;
}

Tensor MixerTables::log_decays(AttentionKind kind) const { return find(kind, 0); }

Tensor MixerTables::directions(std::uint32_t layer) const { return find(AttentionKind::performer, layer); }

}  // namespace loglog
