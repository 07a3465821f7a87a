#pragma once

#include <cstdint>
#include <vector>

#include "engine/models/decoder.hpp"
#include "engine/optim/adamw_optimizer.hpp"

namespace loglog::testing {

/// A small model that is cheap enough to differentiate numerically.
inline DecoderConfig tiny_config() {
    DecoderConfig config;
    config.layers = 2;
    config.width = 16;
    config.heads = 4;
    config.vocab = 19;
    config.context = 8;
    config.init_std = 0.3;
    return resolved(config);
}

/// Rotary, RMSNorm, SwiGLU, grouped queries, qk-norm, untied, no biases.
inline DecoderConfig tiny_modern_config() {
    DecoderConfig config;
    config.layers = 2;
    config.width = 16;
    config.heads = 4;
    config.kv_heads = 2;
    config.vocab = 19;
    config.context = 8;
    config.norm = NormKind::rms;
    config.positions = PositionKind::rotary;
    config.activation = MlpKind::swiglu;
    config.tied_head = false;
    config.bias = false;
    config.qkv_bias = false;
    config.qk_norm = true;
    config.init_std = 0.3;
    return resolved(config);
}

/// Adds what one rank holds of a parameter (values or gradients) to the whole parameter. The sum over ranks is the
/// whole one: of what several hold alike, the owner's part counts; copies' gradients, and of whole parameters if
/// `partial`, add up.
template <class T>
void add_to_whole(const Parameters& parameters, ParameterId id, std::span<const T> local, std::span<T> whole,
                  bool copies_add_up, bool partial = false) {
    const auto& spec = parameters.spec(id);
    const auto columns = spec.shape.elements() / spec.shape[0];
    const bool adds = spec.cut.axis == Cut::Axis::whole ? partial : copies_add_up;
    for (const auto& segment : parameters.segments(id)) {
        if (!segment.owned && !adds) { continue; }
        for (std::int64_t row = 0; row < segment.rows; ++row) {
            const auto from = (segment.local_row + row) * segment.columns;
            const auto to = (segment.global_row + row) * columns + segment.global_column;
            for (std::int64_t column = 0; column < segment.columns; ++column) {
                whole[static_cast<std::size_t>(to + column)] += local[static_cast<std::size_t>(from + column)];
            }
        }
    }
}

/// The gradients of a model that lies on one rank, cut or not, parameter by parameter in the shape of the whole one.
template <class T>
std::vector<std::vector<T>> whole_gradients(Parameters& parameters, bool partial = false) {
    std::vector<std::vector<T>> result;
    for (std::size_t index = 0; index < parameters.size(); ++index) {
        const auto id = static_cast<ParameterId>(index);
        auto& whole = result.emplace_back(static_cast<std::size_t>(parameters.spec(id).shape.elements()));
        add_to_whole<T>(parameters, id, parameters.gradient<T>(id), whole, true, partial);
    }
    return result;
}

/// Random tokens, the next token as target.
struct TokenCase {
    TokenCase(std::int64_t sequences_, std::int64_t time_, std::int64_t vocab, std::uint64_t seed = 5)
        : sequences{sequences_}, time{time_} {
        const Random random{Seed{seed}, Stream::synthetic_data};
        for (std::int64_t i = 0; i < sequences * time; ++i) {
            const auto draw = [&](std::int64_t place) {
                return static_cast<std::int32_t>(
                    random.below(static_cast<std::uint64_t>(place), static_cast<std::uint64_t>(vocab)));
            };
            tokens.push_back(draw(i + i / time));
            targets.push_back(draw(i + i / time + 1));
        }
    }

    /// Windows [first, first + count).
    TokenBatch part(std::int64_t first, std::int64_t count) const {
        const auto begin = static_cast<std::size_t>(first * time);
        const auto size = static_cast<std::size_t>(count * time);
        return {.tokens = std::span{tokens}.subspan(begin, size),
                .targets = std::span{targets}.subspan(begin, size),
                .sequences = count,
                .time = time};
    }

    std::int64_t sequences;
    std::int64_t time;
    std::vector<std::int32_t> tokens;
    std::vector<std::int32_t> targets;
};

/// Forward and backward of a whole batch in micro-batches; returns the mean loss.
inline double accumulate_gradients(Context& context, Tape& tape, Decoder& model, const TokenCase& data,
                                   std::int64_t micro_batch, std::uint64_t step = 0) {
    const double scale = 1.0 / static_cast<double>(data.sequences * data.time);
    double sum = 0;
    model.parameters().begin_step();
    for (std::int64_t first = 0; first < data.sequences; first += micro_batch) {
        tape.reset();
        const StepInfo info{.seed = Seed{3},
                            .step = step,
                            .first_sequence = static_cast<std::uint64_t>(first),
                            .gradient_scale = scale};
        sum += model.loss(tape, data.part(first, micro_batch), info).sum;
        tape.backward();
    }
    model.parameters().finish_step(context);
    return sum * scale;
}

/// Losses of `steps` AdamW steps on the same batch.
inline std::vector<double> train(Decoder& model, const TokenCase& data, std::int64_t steps, std::int64_t micro_batch,
                                 double lr = 1e-2, int threads = 1) {
    Context context{CpuContext{threads}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
    std::vector<double> losses;
    for (std::int64_t step = 0; step < steps; ++step) {
        losses.push_back(
            accumulate_gradients(context, tape, model, data, micro_batch, static_cast<std::uint64_t>(step)));
        adamw_step(context, model.parameters(), {}, lr, step + 1);
    }
    return losses;
}

}  // namespace loglog::testing
