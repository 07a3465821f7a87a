#include "engine/nn/softmax_mixer.hpp"

namespace loglog {

SoftmaxMixer::SoftmaxMixer(std::vector<ParameterSpec>&, const std::string&, const MixerOptions& options,
                           const ParameterizationRule&)
    : options_{options} {}

AttentionOptions SoftmaxMixer::attention_options(const MixerInput& input, const MixerTables& tables) const {
    AttentionOptions attend{.time = input.time,
                            .head_dim = options_.head_dim,
                            .scale = options_.scale,
                            .mask = tables.mask(options_.layer),
                            .document_start = input.info.document_start};
    if (options_.config.kind == AttentionKind::moba) {
        attend.moba = {.block = options_.config.block, .top_k = options_.config.top_k};
    }
    return attend;
}

Tensor SoftmaxMixer::mix(Tape& tape, Parameters&, const MixerInput& input, MixerTables& tables) const {
    auto attend = attention_options(input, tables);
    if (options_.dropout > 0 && tape.recording()) {
        attend.dropout = {.probability = static_cast<float>(options_.dropout),
                          .key = Random{input.info.seed, Stream::dropout_attention}.key(),
                          .step = input.info.step,
                          .layer = options_.layer,
                          .first_sequence = input.info.first_sequence,
                          .first_head = static_cast<std::uint32_t>(input.local.first_head)};
    }
    return attention(tape, input.q, input.k, input.v, attend);
}

Tensor SoftmaxMixer::step(Tape& tape, Parameters&, const MixerInput& input, MixerTables& tables, MixerState& state,
                          std::int64_t position) const {
    return attention_step(tape, input.q, input.k, input.v, attention_options(input, tables), state.keys, state.values,
                          position);
}

void SoftmaxMixer::allocate(MixerState& state, Arena& arena, std::int64_t capacity, DType dtype) const {
    const Shape shape{capacity, options_.kv_heads, options_.head_dim};
    state.keys = allocated(arena, shape, dtype);
    state.values = allocated(arena, shape, dtype);
}

}  // namespace loglog
