#include "engine/nn/decay_mixer.hpp"

#include "engine/ops/decay_attention.hpp"

namespace loglog {

DecayMixer::DecayMixer(std::vector<ParameterSpec>& specs, const std::string& name, const MixerOptions& options,
                       const ParameterizationRule& rule)
    : options_{options} {
    if (options.config.kind == AttentionKind::ssd) { decay_.emplace(specs, name, options.heads, 1.0, rule); }
}

std::vector<CutBlock> DecayMixer::gate_blocks() const {
    if (!decay_) { return {}; }
    return {{.rows = options_.heads, .units = options_.heads}};
}

Tensor DecayMixer::log_decays(Tape& tape, Parameters& parameters, const MixerInput& input,
                              const MixerTables& tables) const {
    return decay_ ? (*decay_)(tape, parameters, input.gates[0]) : tables.log_decays(options_.config.kind);
}

Tensor DecayMixer::mix(Tape& tape, Parameters& parameters, const MixerInput& input, MixerTables& tables) const {
    const Tensor g = log_decays(tape, parameters, input, tables);
    const Tensor mixed = decay_attention(tape, input.q, input.k, input.v, g, linear_attention_options(options_, input));
    if (decay_) { tape.discard(g); }
    return mixed;
}

Tensor DecayMixer::step(Tape& tape, Parameters& parameters, const MixerInput& input, MixerTables& tables,
                        MixerState& state, std::int64_t) const {
    const Tensor g = log_decays(tape, parameters, input, tables);
    return decay_attention_step(tape, input.q, input.k, input.v, g, linear_attention_options(options_, input),
                                state.state);
}

void DecayMixer::allocate(MixerState& state, Arena& arena, DType dtype) const {
    state.state = allocated(arena, Shape{options_.heads, options_.head_dim, options_.head_dim}, dtype);
}

}  // namespace loglog
