#include "engine/models/model_cost.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/models/decoder.hpp"
#include "engine/optim/adamw_optimizer.hpp"

namespace loglog {
namespace {

struct Counted {
    Cost cost;
    std::size_t peak_bytes;
};

/// Forward and backward passes of what lies in the model's part. What other stages send and receive is not counted.
void run_part(Decoder& model, Tape& tape, const TokenBatch& batch) {
    const auto& config = model.config();
    const auto chunks = model.part().chunks.empty() ? std::vector<LayerRange>{{0, config.layers}} : model.part().chunks;
    const Shape stream{model.stream_rows(batch.sequences, batch.time), config.width};
    Tensor h = model.part().embedding ? model.embed(tape, batch.tokens, batch.time, {})
                                      : tape.empty(stream, model.parameters().dtype());
    for (const auto& chunk : chunks) {
        for (std::int64_t layer = chunk.first; layer < chunk.last; ++layer) {
            const Tensor next = model.block(tape, layer, h, batch.time, {});
            tape.discard(h);
            h = next;
        }
    }
    if (model.part().head) { model.head_loss(tape, h, batch, {}); }
    tape.backward();
}

Counted count_micro_batch(Decoder& model, Mode mode, std::int64_t sequences, std::int64_t time) {
    Context context{CountingContext{}};
    Arena activations{Backing::address_space};
    Tape tape{context, activations, mode};
    const auto rows = static_cast<std::size_t>(sequences * time);
    const Storage token_addresses{Backing::address_space, rows * sizeof(std::int32_t)};
    const std::span<const std::int32_t> tokens{reinterpret_cast<const std::int32_t*>(token_addresses.data()), rows};
    const double labels = model.config().labels * static_cast<double>(sequences);
    run_part(model, tape,
             {.tokens = tokens,
              .targets = tokens,
              .sequences = sequences,
              .time = time,
              .labels = std::clamp<std::int64_t>(std::llround(labels), labels > 0 ? 1 : 0, sequences * time)});
    return {std::get<CountingContext>(context).total(), activations.peak_bytes()};
}

Cost count_optimizer_step(Decoder& model) {
    Context context{CountingContext{}};
    model.parameters().finish_step(context);
    adamw_step(context, model.parameters(), AdamWSettings{}, 1e-3, 1);
    return std::get<CountingContext>(context).total();
}

}  // namespace

ModelCost count_cost(const DecoderConfig& config, std::int64_t sequences, std::int64_t time, DType dtype) {
    return count_cost(config, ModelPart{}, sequences, time, dtype);
}

ModelCost count_cost(const DecoderConfig& config, const ModelPart& part, std::int64_t sequences, std::int64_t time,
                     DType dtype) {
    CountingGroup training_group{static_cast<int>(part.tensor.rank()), static_cast<int>(part.tensor.ranks())};
    CountingGroup evaluation_group = training_group;
    const auto with = [&](CountingGroup& group) {
        ModelPart counted = part;
        counted.tensor.group = part.tensor.ranks() > 1 ? &group : nullptr;
        return counted;
    };
    Decoder model{config, Purpose::training, dtype, Backing::address_space, with(training_group)};
    Decoder evaluated{config, Purpose::inference, dtype, Backing::address_space, with(evaluation_group)};
    if (time == 0) { time = model.config().context; }
    const auto training = count_micro_batch(model, Mode::train, sequences, time);
    const auto forward = count_micro_batch(evaluated, Mode::evaluate, sequences, time);
    const auto& parameters = model.parameters();
    return {.parameters = count_parameters(model.config()),
            .tokens = sequences * time,
            .forward = forward.cost,
            .training = training.cost,
            .optimizer = count_optimizer_step(model),
            .activation_bytes = training.peak_bytes,
            .evaluation_bytes = forward.peak_bytes,
            .parameter_bytes = parameters.value_bytes(),
            .gradient_bytes = parameters.gradient_bytes(),
            .moment_bytes = parameters.moment_bytes(),
            .tensor_traffic = training_group.total()};
}

std::int64_t choose_micro_batch(const DecoderConfig& config, std::int64_t batch_sequences) {
    constexpr std::int64_t target_rows = 512;
    const auto most =
        std::clamp<std::int64_t>(target_rows / config.context, 1, std::max<std::int64_t>(batch_sequences, 1));
    for (auto sequences = most; sequences > 1; --sequences) {
        if (batch_sequences % sequences == 0) { return sequences; }
    }
    return 1;
}

}  // namespace loglog
