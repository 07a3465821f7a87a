#include "engine/models/decoder.hpp"

#include <algorithm>
#include <string>

#include "engine/kernels/elementwise.hpp"
#include "engine/ops/embedding.hpp"
#include "engine/ops/head_loss.hpp"
#include "engine/ops/linear.hpp"

namespace loglog {
namespace {

RotaryTable make_rotary_table(const DecoderConfig& config, DType dtype, Backing backing) {
    if (config.positions != PositionKind::rotary) { return {}; }
    return {config.context, config.head_dim, config.rotary_base, dtype, backing};
}

MixerTables make_tables(const DecoderParts& parts, const DecoderConfig& config, const TensorShard& shard, DType dtype,
                        Backing backing) {
    std::vector<MixerOptions> layers;
    for (const auto& block : parts.blocks) { layers.push_back(block.attention.mixer()); }
    return {layers, local_heads(layers.front(), shard), make_rotary_table(config, dtype, backing), dtype, backing};
}

/// One rank has all rows: there is nothing to share out.
ModelPart usable(ModelPart part) {
    if (part.tensor.ranks() == 1) { part.tensor.sequence_parallel = false; }
    return part;
}

}  // namespace

Decoder::Decoder(const DecoderConfig& config, Purpose purpose, DType dtype, Backing backing, const ModelPart& part,
                 Moments moments)
    : config_{resolved(config)},
      part_{usable(part)},
      rule_{config_.parameterization, config_.width, config_.layers, config_.head_dim},
      parts_{config_, part_},
      tables_{make_tables(parts_, config_, part_.tensor, dtype, backing)},
      parameters_{parts_.specs, purpose, dtype, backing, part_.tensor, moments} {}

void Decoder::need_all_layers(const char* operation) const {
    const auto& present = parts_.layer_present;
    if (part_.embedding && part_.head && std::find(present.begin(), present.end(), false) == present.end()) { return; }
    throw InputError{std::string{operation} + " needs all layers, but this is one stage of a pipeline"};
}

void Decoder::need_whole_model(const char* operation) const {
    need_all_layers(operation);
    if (!part_.tensor.is_cut()) { return; }
    throw InputError{std::string{operation} + " needs a model that is not cut, but this one is in " +
                     std::to_string(part_.tensor.leaves) + " tensor-parallel pieces: load it with tp 1"};
}

VocabCut Decoder::vocab_cut() const {
    const auto& shard = part_.tensor;
    if (!shard.is_cut()) { return {}; }
    const CutBlock block{.rows = config_.vocab, .units = config_.vocab, .padded = true};
    return {.vocab = config_.vocab,
            .leaf_rows = rows_per_leaf(block, shard.leaves),
            .first_leaf = shard.first_leaf,
            .leaf_count = shard.leaf_count,
            .group = shard.group,
            .scatter_rows = shard.sequence_parallel,
            .input_gathered = shard.sequence_parallel};
}

std::int64_t Decoder::stream_rows(std::int64_t sequences, std::int64_t time) const {
    const auto rows = sequences * time;
    if (!part_.tensor.sequence_parallel) { return rows; }
    const auto ranks = part_.tensor.ranks();
    if (rows % ranks != 0) {
        throw InputError{"sequence parallelism shares the rows of a micro-batch, " + std::to_string(sequences) + " x " +
                         std::to_string(time) + ", among " + std::to_string(ranks) +
                         " ranks, which must divide them: change the micro-batch or the context"};
    }
    return rows / ranks;
}

Tensor Decoder::head_weight() {
    return parts_.untied_head ? parameters_.tensor(*parts_.untied_head) : parameters_.second_use(parts_.token_table);
}

ResidualBranch Decoder::branch(const Tensor& stream, std::int64_t rows, std::int64_t place, std::int64_t time,
                               const StepInfo& info) const {
    return {.stream = stream,
            .scale = rule_.residual_multiplier(),
            .dropout = config_.dropout,
            .place = static_cast<std::uint32_t>(place),
            .time = time,
            .first_row = part_.tensor.sequence_parallel ? part_.tensor.rank() * rows : 0,
            .info = info};
}

Tensor Decoder::embed(Tape& tape, std::span<const std::int32_t> tokens, std::int64_t time, const StepInfo& info,
                      std::int64_t first_position) {
    const Tensor positions = parts_.position_table ? parameters_.tensor(*parts_.position_table) : Tensor{};
    const Tensor h = embedding(
        tape, tokens, parameters_.tensor(parts_.token_table), positions,
        {.time = time, .scale = rule_.embedding_multiplier(), .first_position = first_position, .cut = vocab_cut()});
    if (config_.dropout == 0 || !tape.recording()) { return h; }
    auto dropped = branch(Tensor{}, h.shape.rows(), 0, time, info);
    dropped.scale = 1;
    return drop_and_add(tape, h, dropped);
}

Tensor Decoder::block(Tape& tape, std::int64_t layer, const Tensor& h, std::int64_t time, const StepInfo& info) {
    const auto& block = parts_.blocks[static_cast<std::size_t>(layer)];
    const auto rows = h.shape.rows();
    if (info.listener != nullptr) {
        // Recorded first, so it comes last in the block's backward pass.
        tape.record([listener = info.listener, layer](Tape& back) {
            back.weight_gradient([listener, layer](Tape&) { listener->on_block_backward(layer); });
        });
    }
    const Tensor attention_input = block.attention_norm(tape, parameters_, h);
    const Tensor middle =
        block.attention(tape, parameters_, attention_input, tables_, branch(h, rows, 1 + 2 * layer, time, info));
    tape.discard(attention_input);
    if (!block.mlp) { return middle; }
    const Tensor mlp_input = (*block.mlp_norm)(tape, parameters_, middle);
    const Tensor out = (*block.mlp)(tape, parameters_, mlp_input, branch(middle, rows, 2 + 2 * layer, time, info));
    tape.discard(mlp_input);
    tape.discard(middle);
    return out;
}

BatchLoss Decoder::head_loss(Tape& tape, const Tensor& h, const TokenBatch& batch, const StepInfo& info) {
    const Tensor normed = (*parts_.final_norm)(tape, parameters_, h);
    const Tensor input = gathered_input(tape, normed, part_.tensor);
    const auto losses = loglog::head_loss(tape, input, head_weight(), batch.targets,
                                          {.logit_scale = rule_.logit_multiplier(),
                                           .z_loss = config_.z_loss,
                                           .gradient_scale = info.gradient_scale,
                                           .cut = vocab_cut(),
                                           .labels = batch.labels});
    discard_gathered(tape, input, part_.tensor);
    tape.discard(normed);
    BatchLoss result;
    result.token_losses = losses.token_losses;
    result.token_losses.shape = Shape{batch.sequences, batch.time};
    result.correct = losses.correct;
    if (tape.counting()) { return result; }
    with_dtype(h.dtype, [&]<class T>(T) {
        const auto loss = losses.token_losses.values<T>();
        const auto log_z = losses.log_z.values<T>();
        for (std::size_t row = 0; row < loss.size(); ++row) {
            if (batch.targets[row] < 0) { continue; }
            result.sum += static_cast<double>(loss[row]);
            result.z_sum += static_cast<double>(log_z[row]) * static_cast<double>(log_z[row]);
            ++result.targets;
        }
    });
    return result;
}

Tensor Decoder::head_logits(Tape& tape, const Tensor& h) {
    need_whole_model("computing logits");
    const Tensor normed = (*parts_.final_norm)(tape, parameters_, h);
    const Tensor weight = head_weight();
    const Tensor zero = tape.saved(Shape{h.shape.rows(), config_.vocab}, h.dtype);
    with_dtype(h.dtype, [&]<class T>(T) { launch(tape.context(), Fill<T>{zero.values<T>(), T{0}}); });
    return linear(tape, normed, weight, {.residual = zero, .residual_scale = rule_.logit_multiplier()});
}

BatchLoss Decoder::loss(Tape& tape, const TokenBatch& batch, const StepInfo& info) {
    need_all_layers("computing the loss");
    stream_rows(batch.sequences, batch.time);
    const auto rows = static_cast<std::size_t>(batch.sequences * batch.time);
    if (batch.tokens.size() != rows || batch.targets.size() != rows || batch.time > config_.context) {
        throw ShapeError{"decoder", "batch", Shape{static_cast<std::int64_t>(batch.tokens.size())},
                         Shape{batch.sequences, std::min(batch.time, config_.context)},
                         "a token and a target for every place of windows no longer than the context"};
    }
    Tensor h = embed(tape, batch.tokens, batch.time, info);
    for (std::int64_t layer = 0; layer < config_.layers; ++layer) {
        const Tensor next = block(tape, layer, h, batch.time, info);
        tape.discard(h);
        h = next;
    }
    return head_loss(tape, h, batch, info);
}

Tensor Decoder::logits(Tape& tape, std::span<const std::int32_t> tokens, std::int64_t sequences, std::int64_t time) {
    need_whole_model("computing logits");
    if (tokens.size() != static_cast<std::size_t>(sequences * time) || time > config_.context) {
        throw ShapeError{"decoder", "tokens", Shape{static_cast<std::int64_t>(tokens.size())},
                         Shape{sequences, std::min(time, config_.context)}, "windows no longer than the context"};
    }
    Tensor h = embed(tape, tokens, time, {});
    for (std::int64_t layer = 0; layer < config_.layers; ++layer) { h = block(tape, layer, h, time, {}); }
    Tensor result = head_logits(tape, h);
    result.shape = Shape{sequences, time, config_.vocab};
    return result;
}

}  // namespace loglog
