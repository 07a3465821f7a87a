#include "engine/nn/feature_mixer.hpp"

#include "engine/ops/feature_maps.hpp"

namespace loglog {

FeatureMixer::FeatureMixer(std::vector<ParameterSpec>&, const std::string&, const MixerOptions& options,
                           const ParameterizationRule&)
    : options_{options} {}

std::vector<CutBlock> FeatureMixer::gate_blocks() const { return {}; }

FeatureMixer::Features FeatureMixer::features(Tape& tape, const MixerInput& input, const MixerTables& tables,
                                              std::int64_t first_position) const {
    const auto heads_of = [](const Tensor& rows, const Heads& from) { return Heads{rows, 0, from.heads}; };
    if (options_.config.kind == AttentionKind::performer) {
        const Tensor directions = tables.directions(options_.layer);
        return {heads_of(performer_features(tape, input.q, directions, PerformerSide::queries), input.q),
                heads_of(performer_features(tape, input.k, directions, PerformerSide::keys), input.k)};
    }
    if (options_.config.kind == AttentionKind::cosformer) {
        // Products of features depend on the distance of their places alone, so places may count from the sequence's
        // start whatever the document.
        const CosformerOptions places{.time = input.time,
                                      .head_dim = options_.head_dim,
                                      .longest = options_.context,
                                      .first_position = first_position};
        return {heads_of(cosformer_features(tape, input.q, places), input.q),
                heads_of(cosformer_features(tape, input.k, places), input.k)};
    }
    return {input.q, input.k};
}

void FeatureMixer::discard(Tape& tape, const Features& made) const {
    if (options_.config.kind != AttentionKind::performer && options_.config.kind != AttentionKind::cosformer) {
        return;
    }
    tape.discard(made.k.rows);
    tape.discard(made.q.rows);
}

FeatureAttentionOptions FeatureMixer::attention_options(const MixerInput& input) const {
    FeatureAttentionOptions result{linear_attention_options(options_, input)};
    result.key_dim = feature_dim(options_.config, options_.head_dim);
    result.scale = 1;
    switch (options_.config.kind) {
        case AttentionKind::relu:
            result.map = FeatureMap::relu;
            result.normalizer_epsilon = std::nullopt;
            break;
        case AttentionKind::performer:
            result.map = FeatureMap::identity;
            break;
        case AttentionKind::cosformer:
            result.map = FeatureMap::identity;
            result.clamp_normalizer = true;
            break;
        default:
            result.map = FeatureMap::elu_plus_one;
            break;
    }
    return result;
}

Tensor FeatureMixer::mix(Tape& tape, Parameters&, const MixerInput& input, MixerTables& tables) const {
    const Features made = features(tape, input, tables, 0);
    const Tensor mixed = feature_attention(tape, made.q, made.k, input.v, attention_options(input));
    discard(tape, made);
    return mixed;
}

Tensor FeatureMixer::step(Tape& tape, Parameters&, const MixerInput& input, MixerTables& tables, MixerState& state,
                          std::int64_t position) const {
    const Features made = features(tape, input, tables, position);
    return feature_attention_step(tape, made.q, made.k, input.v, attention_options(input), state.state,
                                  state.normalizer);
}

void FeatureMixer::allocate(MixerState& state, Arena& arena, DType dtype) const {
    const auto keys = feature_dim(options_.config, options_.head_dim);
    state.state = allocated(arena, Shape{options_.heads, keys, options_.head_dim}, dtype);
    if (options_.config.kind == AttentionKind::relu) { return; }
    state.normalizer = allocated(arena, Shape{options_.heads, keys}, dtype);
}

}  // namespace loglog
