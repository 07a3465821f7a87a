#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/kernels/attention_mask.hpp"
#include "engine/nn/mixer.hpp"
#include "engine/nn/rotary_table.hpp"
#include "engine/tensor/storage.hpp"

namespace loglog {

/// What mixers read besides parameters: constants of a model's kinds of attention, made once.
class MixerTables {
  public:
    MixerTables() = default;
    /// `layers`: each layer's mixer; `local`: this rank's heads.
    MixerTables(std::span<const MixerOptions> layers, const LocalHeads& local, RotaryTable rotary, DType dtype,
                Backing backing);

    const RotaryTable& rotary() const noexcept { return rotary_; }
    /// retention, lightning: [local heads], the logarithms of the heads' decays.
    Tensor log_decays(AttentionKind kind) const;
    /// Softmax kinds with a fixed mask: that of a layer, for the longest sequence and this rank's heads. Null: none.
    const AttentionMask* mask(std::uint32_t layer) const;
    /// performer: [features, head_dim], the directions of a layer's random features.
    Tensor directions(std::uint32_t layer) const;

  private:
    struct Constant {
        AttentionKind kind;
        std::uint32_t layer;
        Storage storage;
        Tensor tensor;
    };
    Tensor find(AttentionKind kind, std::uint32_t layer) const;
    Tensor add(AttentionKind kind, std::uint32_t layer, const Shape& shape, DType dtype, Backing backing);

    struct Mask {
        AttentionKind kind;
        std::uint32_t layer;
        std::unique_ptr<AttentionMask> mask;
    };
    void add_mask(const MixerOptions& layer, const LocalHeads& local);

    RotaryTable rotary_;
    std::vector<Mask> masks_;  // one a layer where layers differ (bigbird), else one a kind
    std::vector<const AttentionMask*> layer_masks_;
    std::vector<Constant> constants_;
};

}  // namespace loglog
