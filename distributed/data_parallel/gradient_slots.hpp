#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/models/decoder.hpp"

namespace loglog {

/// One place on this rank where a parameter's gradient is collected: a parameter with two uses has two.
struct GradientSlot {
    ParameterId parameter{};
    bool second_use = false;
    int chunk = 0;            ///< of the pipeline stage, whose backward pass completes it
    std::int64_t layer = 0;   ///< once the backward pass has come through it, the slot is complete; -1: at its end
    std::span<float> values;  ///< where the step's gradient ends up
    std::vector<Gradient*> states;  ///< one, or one per leaf

    /// Where backward passes add to: `values`, unless collect_in() said otherwise.
    std::span<float> collected() const noexcept {
        return {reinterpret_cast<float*>(states.front()->data), values.size()};
    }
    /// The next contribution overwrites what is at `place`.
    void collect_in(std::span<float> place) const noexcept;
    bool is_complete_after(std::int64_t passed) const noexcept { return layer >= passed; }
};

/// Of all parameters that this rank's backward passes contribute to, in the order in which those complete them: the
/// head first, the embedding last.
std::vector<GradientSlot> gradient_slots(Decoder& model);

/// Zeroes what nothing was written to.
void complete(Context& context, const GradientSlot& slot);
}  // namespace loglog
