#pragma once

#include <mpi.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "distributed/data_parallel/gradient_exchange.hpp"
#include "distributed/data_parallel/gradient_slots.hpp"
#include "distributed/data_parallel/shared_gradients.hpp"
#include "engine/kernels/elementwise.hpp"

namespace loglog::testing {

/// Tied, grouped keys and values, gains shared by all heads, a vocabulary that no number of leaves divides.
inline DecoderConfig exchange_config() {
    DecoderConfig config;
    config.layers = 4;
    config.width = 32;
    config.heads = 4;
    config.kv_heads = 2;
    config.vocab = 19;
    config.context = 8;
    config.qk_norm = true;
    config.init_std = 0.3;
    return resolved(config);
}

/// Everything that a layout of `ranks` ranks can be.
inline std::vector<Layout> layouts_of(int ranks) {
    std::vector<Layout> result;
    for (const int dp : {1, 2, 4, 8}) {
        for (const int tp : {1, 2, 4}) {
            for (const int pp : {1, 2, 4}) {
                if (dp * tp * pp == ranks) { result.push_back({.dp = dp, .tp = tp, .pp = pp}); }
            }
        }
    }
    return result;
}

struct CaseOptions {
    Reduction reduction = Reduction::fast;
    std::int64_t leaves = 1;
    int micro_batches = 1;  ///< of this rank
    int zero = 0;
    bool sequence_parallel = false;
    bool noise_scale = true;
    int chunks = 1;  ///< of each pipeline stage
};

inline ModelPart part_of(const DecoderConfig& config, const Topology& topology, const CaseOptions& options) {
    const auto& layout = topology.layout();
    const std::int64_t each = options.leaves / layout.tp;
    const std::int64_t layers = config.layers / (layout.pp * options.chunks);
    std::vector<LayerRange> chunks;
    for (int chunk = 0; chunk < options.chunks; ++chunk) {
        const auto piece = std::int64_t{chunk} * layout.pp + topology.place().pp;
        chunks.push_back({piece * layers, (piece + 1) * layers});
    }
    return {.tensor = {.leaves = options.leaves,
                       .first_leaf = topology.place().tp * each,
                       .leaf_count = each,
                       .group = layout.tp > 1 ? &topology.tensor() : nullptr,
                       .sequence_parallel = options.sequence_parallel},
            .chunks = chunks,
            .embedding = topology.first_stage(),
            .head = topology.last_stage()};
}

/// One rank's part of a model and its exchange.
struct Member {
    Member(const Communicator& run, const Layout& layout, const CaseOptions& options_,
           const DecoderConfig& config = exchange_config())
        : options{options_},
          topology{run, layout, options.reduction},
          model{config,
                Purpose::training,
                DType::float32,
                Backing::memory,
                part_of(config, topology, options),
                options.zero > 0 && layout.dp > 1 ? Moments::elsewhere : Moments::here},
          exchange{context,
                   model,
                   topology,
                   {.zero = options.zero, .micro_batches = options.micro_batches, .noise_scale = options.noise_scale}} {
        model.initialize(Seed{4});
    }

    int first_micro_batch() const { return topology.place().dp * options.micro_batches; }

    CaseOptions options;
    Context context{CpuContext{1}};
    Topology topology;
    Decoder model;
    GradientExchange exchange;
};

/// The whole model with all its leaves on this rank alone, on all micro-batches.
inline Member lone_member(const Layout& layout, CaseOptions options, const DecoderConfig& config = exchange_config()) {
    options.micro_batches *= layout.dp;
    options.sequence_parallel = false;
    options.zero = 0;
    options.chunks = 1;
    return Member{Communicator::duplicate(MPI_COMM_SELF), Layout{}, options, config};
}

/// Adds a made-up gradient to a slot as a backward pass does: numbers that depend on the micro-batch (global), the
/// parameter, the use, the value's place in the whole model, and for copies on the leaf.
inline void contribute(Decoder& model, const GradientSlot& slot, int micro_batch, std::uint64_t step) {
    auto& parameters = model.parameters();
    const auto& spec = parameters.spec(slot.parameter);
    const bool copies = has_copies(spec, parameters.shard().leaves);
    const bool partial = parameters.shard().sequence_parallel && spec.cut.axis == Cut::Axis::whole;
    const auto columns = spec.shape.rank() == 1 ? 1 : spec.shape[1];
    const auto key = (step * 64 + static_cast<std::uint64_t>(micro_batch)) * 2 + (slot.second_use ? 1 : 0);
    const Random random{Seed{key}, Stream::init, name_hash(spec.name)};
    const bool accumulate = slot.states.front()->written;
    const auto place_of_gradient = slot.collected();
    if (!accumulate) { std::ranges::fill(place_of_gradient, 0.0f); }
    for (const auto& segment : parameters.segments(slot.parameter)) {
        std::int64_t source = copies ? segment.first_leaf : 0;
        if (partial) { source = parameters.shard().rank(); }
        for (std::int64_t i = 0; i < segment.rows * segment.columns; ++i) {
            const auto row = segment.global_row + i / segment.columns;
            const auto place = row * columns + segment.global_column + i % segment.columns;
            auto& value = place_of_gradient[static_cast<std::size_t>(segment.local_row * segment.columns + i)];
            value += static_cast<float>(random.normal(static_cast<std::uint64_t>(place * 8 + source)));
        }
    }
    for (auto* state : slot.states) { state->written = true; }
}

inline double loss_of(int micro_batch) { return 0.1 + 0.3 * micro_batch; }

/// A step on made-up gradients; layers report themselves in the last micro-batch if there is a listener.
inline StepTotals made_up_step(Member& member, std::uint64_t step, StepRequests requests = {}) {
    const auto slots = gradient_slots(member.model);
    const auto layers = member.model.part().chunks.front();
    std::vector<double> losses;
    member.exchange.begin_step();
    for (int m = 0; m < member.options.micro_batches; ++m) {
        const int global = member.first_micro_batch() + m;
        losses.push_back(member.topology.last_stage() ? loss_of(global) : 0.0);
        const bool is_last = m + 1 == member.options.micro_batches;
        auto* listener = is_last ? member.exchange.listener() : nullptr;
        std::size_t next = 0;
        for (std::int64_t layer = layers.last - 1; layer >= layers.first; --layer) {
            for (; next < slots.size() && slots[next].layer >= layer; ++next) {
                contribute(member.model, slots[next], global, step);
            }
            if (listener != nullptr) { listener->on_block_backward(layer); }
        }
        for (; next < slots.size(); ++next) { contribute(member.model, slots[next], global, step); }
        member.exchange.after_micro_batch(0, m);
    }
    return member.exchange.finish(losses, requests);
}

/// Calls compare(mine, reference) on each run of values that this rank holds and the same values of the whole model;
/// `values` is called with a Parameters and an id.
template <class Values, class Compare>
void for_each_run(Parameters& mine, Parameters& whole, const Values& values, const Compare& compare) {
    for (std::size_t index = 0; index < mine.size(); ++index) {
        const auto id = static_cast<ParameterId>(index);
        const auto reference = whole.segments(id);
        for (const auto& segment : mine.segments(id)) {
            const auto found = std::ranges::find(reference, segment.global_row, &Segment::global_row);
            for (std::int64_t row = 0; row < segment.rows; ++row) {
                const auto count = static_cast<std::size_t>(segment.columns);
                const auto at = static_cast<std::size_t>((segment.local_row + row) * segment.columns);
                const auto there =
                    static_cast<std::size_t>((found->local_row + row) * found->columns + segment.global_column);
                compare(mine.spec(id), values(mine, id).subspan(at, count), values(whole, id).subspan(there, count));
            }
        }
    }
}

}  // namespace loglog::testing
