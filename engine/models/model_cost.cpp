#include "engine/models/model_cost.hpp"

#include <algorithm>

#include "engine/models/decoder.hpp"
#include "engine/optim/adamw_optimizer.hpp"

namespace loglog {
namespace {

struct Counted {
    Cost cost;
    std::size_t peak_bytes;
};

Counted count_micro_batch(Decoder& model, Mode mode, std::int64_t sequences, std::int64_t time) {
    Context context{CountingContext{}};
    Arena activations{Backing::address_space};
    Tape tape{context, activations, mode};
    const auto rows = static_cast<std::size_t>(sequences * time);
    const Storage token_addresses{Backing::address_space, rows * sizeof(std::int32_t)};
    const std::span<const std::int32_t> tokens{reinterpret_cast<const std::int32_t*>(token_addresses.data()), rows};
    model.loss(tape, {.tokens = tokens, .targets = tokens, .sequences = sequences, .time = time}, {});
    tape.backward();
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
    Decoder model{config, Purpose::training, dtype, Backing::address_space};
    if (time == 0) { time = model.config().context; }
    const auto training = count_micro_batch(model, Mode::train, sequences, time);
    const auto forward = count_micro_batch(model, Mode::evaluate, sequences, time);
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
            .tensor_traffic = {}};
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
