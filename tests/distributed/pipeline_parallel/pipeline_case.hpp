#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "distributed/pipeline_parallel/balance.hpp"
#include "distributed/pipeline_parallel/pipeline_stage.hpp"
#include "tests/support/decoder_case.hpp"

namespace loglog::testing {

constexpr PipelineSchedule every_schedule[] = {PipelineSchedule::gpipe, PipelineSchedule::one_f_one_b,
                                               PipelineSchedule::interleaved, PipelineSchedule::zb_h1};

/// Twelve micro-batches, a multiple of 1, 2, 3 and 4 stages, of a small model with dropout and a tied head.
struct PipelineCase {
    static constexpr int micro_batches = 12;
    static constexpr std::int64_t sequences = 2;

    DecoderConfig config = [] {
        auto tiny = tiny_config();
        tiny.layers = 8;
        tiny.dropout = 0.1;
        tiny.z_loss = 1e-3;
        return resolved(tiny);
    }();
    TokenCase data{micro_batches * sequences, 8, 19};

    std::vector<TokenBatch> batches() const {
        std::vector<TokenBatch> result;
        for (std::int64_t i = 0; i < micro_batches; ++i) { result.push_back(data.part(i * sequences, sequences)); }
        return result;
    }
    std::vector<StepInfo> infos(std::uint64_t step) const {
        std::vector<StepInfo> result;
        for (std::int64_t i = 0; i < micro_batches; ++i) {
            result.push_back({.seed = Seed{3},
                              .step = step,
                              .first_sequence = static_cast<std::uint64_t>(i * sequences),
                              .gradient_scale = 1.0 / static_cast<double>(data.sequences * data.time)});
        }
        return result;
    }
};

/// The part of stage `stage`, of equal layers but for `first_extra` that the first piece does besides.
inline ModelPart part_of(const DecoderConfig& config, PipelineSchedule schedule, int stages, int stage,
                         double first_extra = 0) {
    const std::vector<double> costs(static_cast<std::size_t>(config.layers), 1.0);
    const auto pieces = balance_layers(costs, stages * chunks_per_stage(schedule), first_extra, 0);
    return {.chunks = chunks_of_stage(pieces, stages, stage), .embedding = stage == 0, .head = stage == stages - 1};
}

/// A gradient as it was collected, before the two uses of a tied table are added.
using Bytes = std::vector<std::byte>;

struct CollectedGradient {
    std::string name;
    Bytes first_use;
    Bytes second_use;
};

inline Bytes bytes_of(const Tensor& parameter) {
    const Gradient* gradient = parameter.gradient;
    if (gradient == nullptr || !gradient->written) { return {}; }
    return {gradient->data, gradient->data + parameter.bytes()};
}

/// What the micro-batches so far added up to; empty where nothing was added.
inline std::vector<CollectedGradient> collected_gradients(Decoder& model) {
    std::vector<CollectedGradient> result;
    auto& parameters = model.parameters();
    for (std::size_t index = 0; index < parameters.size(); ++index) {
        const auto id = static_cast<ParameterId>(index);
        const auto& spec = parameters.spec(id);
        CollectedGradient collected{spec.name, {}, {}};
        if (spec.present) { collected.first_use = bytes_of(parameters.tensor(id)); }
        if (spec.present && spec.two_uses) { collected.second_use = bytes_of(parameters.second_use(id)); }
        result.push_back(std::move(collected));
    }
    return result;
}

/// What the plain loop over micro-batches gives with all layers on one rank, or on each rank of a tensor-parallel
/// group.
struct PlainStep {
    PlainStep(const PipelineCase& test_case, std::uint64_t step, const TensorShard& shard = {})
        : model{test_case.config, Purpose::training, DType::float32, Backing::memory, ModelPart{.tensor = shard}} {
        Context context{CpuContext{1}};
        Arena arena;
        Tape tape{context, arena, Mode::train};
        model.initialize(Seed{7});
        model.parameters().begin_step();
        const auto batches = test_case.batches();
        const auto infos = test_case.infos(step);
        for (std::size_t i = 0; i < batches.size(); ++i) {
            tape.reset();
            const auto loss = model.loss(tape, batches[i], infos[i]);
            tape.backward();
            losses.push_back({loss.sum, loss.z_sum});
        }
        gradients = collected_gradients(model);
        activation_bytes = arena.peak_bytes();
    }

    Decoder model;
    std::vector<MicroBatchLoss> losses;
    std::vector<CollectedGradient> gradients;
    std::size_t activation_bytes = 0;
};

/// Names of parameters whose gradients on a stage are not what they should be: those of the plain loop for the layers,
/// tables and norms that lie there, and nothing for all others.
inline std::vector<std::string> wrong_gradients(Decoder& model, const PlainStep& plain) {
    const auto& part = model.part();
    const auto lies_here = [&](std::string_view name) {
        if (name.starts_with("blocks.")) {
            const std::int64_t layer = std::stoll(std::string{name.substr(7)});
            return part.chunks.empty() || std::ranges::any_of(part.chunks, [&](const LayerRange& chunk) {
                       return chunk.first <= layer && layer < chunk.last;
                   });
        }
        return name.starts_with("final_norm") || name.starts_with("head") ? part.head : part.embedding;
    };
    std::vector<std::string> wrong;
    const auto mine = collected_gradients(model);
    for (std::size_t index = 0; index < mine.size(); ++index) {
        const auto& expected = plain.gradients[index];
        if (expected.first_use.empty()) { wrong.push_back(expected.name + " of the plain loop"); }
        if (mine[index].first_use != (lies_here(expected.name) ? expected.first_use : Bytes{})) {
            wrong.push_back(expected.name);
        }
        if (mine[index].second_use != (part.head ? expected.second_use : Bytes{})) {
            wrong.push_back(expected.name + ", second use");
        }
    }
    return wrong;
}

/// Micro-batches whose losses on a stage are not the plain loop's on the last stage, and zeros on others.
inline std::vector<std::size_t> wrong_losses(const std::vector<MicroBatchLoss>& losses, const PlainStep& plain,
                                             bool is_last) {
    std::vector<std::size_t> wrong;
    for (std::size_t i = 0; i < plain.losses.size(); ++i) {
        const MicroBatchLoss expected = is_last ? plain.losses[i] : MicroBatchLoss{};
        if (losses[i].sum != expected.sum || losses[i].z_sum != expected.z_sum) { wrong.push_back(i); }
    }
    return wrong;
}

}  // namespace loglog::testing
