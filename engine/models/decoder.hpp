#pragma once

#include <cstdint>
#include <span>

#include "engine/autograd/tape.hpp"
#include "engine/models/decoder_config.hpp"
#include "engine/models/decoder_parts.hpp"
#include "engine/models/model_part.hpp"
#include "engine/nn/mixer_tables.hpp"
#include "engine/nn/parameters.hpp"
#include "engine/nn/step_info.hpp"
#include "engine/ops/leaf_cut.hpp"

namespace loglog {

/// `sequences` windows of `time` tokens, one after the other, and what follows each token (-1: not trained on).
struct TokenBatch {
    std::span<const std::int32_t> tokens;   ///< [sequences, time], each in [0, vocab)
    std::span<const std::int32_t> targets;  ///< [sequences, time]
    std::int64_t sequences = 0;
    std::int64_t time = 0;
    std::int64_t labels = 0;  ///< targets that are not -1, read only where costs are counted; 0: all
};

/// Losses of one micro-batch in nats. `token_losses` lives until the tape's next reset.
struct BatchLoss {
    double sum = 0;            ///< of cross entropies, without the z-loss
    double z_sum = 0;          ///< of (log Z)^2
    std::int64_t targets = 0;  ///< tokens with a target
    Tensor token_losses;       ///< [sequences, time], 0 where there is no target
    Tensor correct;            ///< [sequences * time], not when recording: see HeadLoss
};

/// A decoder-only language model: embedding, pre-norm blocks of attention and MLP, final norm, head.
///
/// One training step: parameters().begin_step(); for each micro-batch { tape.reset(); loss(tape, ...);
/// tape.backward(); } parameters().finish_step(context); adamw_step(...).
///
/// Of a model that is spread over ranks, each rank's decoder is the part that `ModelPart` names. Ranks of a tensor
/// group call the same functions with the same micro-batches; losses and, without sequence parallelism, activations
/// between layers are then the same on each. What the gradients of a rank still lack: sums over copies (see Cut) and,
/// with sequence parallelism, over ranks for parameters that are whole on each, since each saw its own rows alone.
class Decoder {
  public:
    /// `config` is resolved and checked: throws InputError listing every problem. Values are zero until `initialize`.
    explicit Decoder(const DecoderConfig& config, Purpose purpose = Purpose::training, DType dtype = DType::float32,
                     Backing backing = Backing::memory, const ModelPart& part = {}, Moments moments = Moments::here);

    const DecoderConfig& config() const noexcept { return config_; }
    Parameters& parameters() noexcept { return parameters_; }
    const Parameters& parameters() const noexcept { return parameters_; }
    const ModelPart& part() const noexcept { return part_; }
    /// Parameters of one layer; of what comes before the first (token and position tables), and after the last (final
    /// norm and untied output table). A tied table is among the first, wherever its head use lies.
    ParameterRange parameters_of_layer(std::int64_t layer) const {
        return parts_.layer_parameters[static_cast<std::size_t>(layer)];
    }
    ParameterRange embedding_parameters() const { return {0, parts_.layer_parameters.front().first}; }
    ParameterRange head_parameters() const { return {parts_.layer_parameters.back().last, parameters_.size()}; }
    void initialize(Seed seed) { parameters_.initialize(seed); }

    /// Next-token loss of a micro-batch. When the tape records, the gradient of
    /// info.gradient_scale * (sum + z_loss * z_sum) is what tape.backward() adds to the parameters' gradients. Throws
    /// InputError for one stage of a pipeline.
    BatchLoss loss(Tape& tape, const TokenBatch& batch, const StepInfo& info);

    /// [sequences, time, vocab]: scaled logits of every position. For short inputs: they are held at once. Throws
    /// InputError if not all of the model is here.
    Tensor logits(Tape& tape, std::span<const std::int32_t> tokens, std::int64_t sequences, std::int64_t time);

    // The parts of `loss`, for pipeline stages: h is [rows, width], all sequences * time rows of the micro-batch, or
    // with sequence parallelism the share of this rank, `stream_rows`.
    std::int64_t stream_rows(std::int64_t sequences, std::int64_t time) const;
    Tensor embed(Tape& tape, std::span<const std::int32_t> tokens, std::int64_t time, const StepInfo& info,
                 std::int64_t first_position = 0);
    Tensor block(Tape& tape, std::int64_t layer, const Tensor& h, std::int64_t time, const StepInfo& info);
    BatchLoss head_loss(Tape& tape, const Tensor& h, const TokenBatch& batch, const StepInfo& info);
    Tensor head_logits(Tape& tape, const Tensor& h);

  private:
    friend class Decoding;

    /// `rows`: of the stream, which may be absent.
    ResidualBranch branch(const Tensor& stream, std::int64_t rows, std::int64_t place, std::int64_t time,
                          const StepInfo& info) const;
    Tensor head_weight();
    VocabCut vocab_cut() const;
    void need_all_layers(const char* operation) const;
    void need_whole_model(const char* operation) const;

    DecoderConfig config_;
    ModelPart part_;
    ParameterizationRule rule_;
    DecoderParts parts_;
    MixerTables tables_;
    Parameters parameters_;
};

}  // namespace loglog
