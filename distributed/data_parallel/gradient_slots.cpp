#include "distributed/data_parallel/gradient_slots.hpp"

#include <algorithm>

#include "engine/kernels/elementwise.hpp"

namespace loglog {
namespace {

std::vector<LayerRange> chunks_of(const Decoder& model) {
    if (!model.part().chunks.empty()) { return model.part().chunks; }
    return {{0, model.config().layers}};
}

GradientSlot make_slot(Parameters& parameters, ParameterId id, int chunk, std::int64_t layer) {
    GradientSlot slot;
    slot.parameter = id;
    slot.chunk = chunk;
    slot.layer = layer;
    slot.values = parameters.gradient<float>(id);
    const auto& shard = parameters.shard();
    if (parameters.spec(id).by_leaf && shard.is_cut()) {
        for (std::int64_t leaf = 0; leaf < shard.leaf_count; ++leaf) {
            slot.states.push_back(parameters.leaf(id, leaf).gradient);
        }
    } else {
        slot.states.push_back(parameters.tensor(id).gradient);
    }
    return slot;
}

GradientSlot make_second_slot(Parameters& parameters, ParameterId id, int chunk, std::int64_t layer) {
    return {.parameter = id,
            .second_use = true,
            .chunk = chunk,
            .layer = layer,
            .values = parameters.second_gradient<float>(id),
            .states = {parameters.second_use(id).gradient}};
}

}  // namespace

void GradientSlot::collect_in(std::span<float> place) const noexcept {
    const std::size_t each = place.size() / states.size();
    for (std::size_t index = 0; index < states.size(); ++index) {
        *states[index] = {reinterpret_cast<std::byte*>(place.data() + index * each), false};
    }
}

std::vector<GradientSlot> gradient_slots(Decoder& model) {
    auto& parameters = model.parameters();
    const auto chunks = chunks_of(model);
    const int last_chunk = static_cast<int>(chunks.size()) - 1;
    std::vector<GradientSlot> slots;
    const auto add = [&](const ParameterRange& range, int chunk, std::int64_t layer) {
        for (std::size_t index = range.last; index-- > range.first;) {
            const auto id = static_cast<ParameterId>(index);
            const auto& spec = parameters.spec(id);
            if (!spec.present || (spec.two_uses && !spec.first_use_here)) { continue; }
            slots.push_back(make_slot(parameters, id, chunk, layer));
        }
    };

    for (std::size_t index = 0; index < parameters.size(); ++index) {
        const auto id = static_cast<ParameterId>(index);
        if (parameters.second_gradient<float>(id).empty()) { continue; }
        slots.push_back(make_second_slot(parameters, id, last_chunk, chunks.back().last - 1));
    }
    add(model.head_parameters(), last_chunk, chunks.back().last - 1);
    for (int chunk = last_chunk; chunk >= 0; --chunk) {
        const auto& layers = chunks[static_cast<std::size_t>(chunk)];
        for (std::int64_t layer = layers.last; layer-- > layers.first;) {
            add(model.parameters_of_layer(layer), chunk, layer);
        }
    }
    add(model.embedding_parameters(), 0, -1);
    return slots;
}

void complete(Context& context, const GradientSlot& slot) {
    const std::size_t each = slot.values.size() / slot.states.size();
    for (std::size_t index = 0; index < slot.states.size(); ++index) {
        auto& state = *slot.states[index];
        if (!state.written) { launch(context, Fill<float>{slot.collected().subspan(index * each, each), 0.0f}); }
        state.written = true;
    }
}

}  // namespace loglog
