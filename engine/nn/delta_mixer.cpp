#include "engine/nn/delta_mixer.hpp"

#include "engine/ops/delta_attention.hpp"
#include "engine/ops/gates.hpp"

namespace loglog {

DeltaMixer::DeltaMixer(std::vector<ParameterSpec>& specs, const std::string& name, const MixerOptions& options,
                       const ParameterizationRule& rule)
    : options_{options} {
    if (options.config.kind == AttentionKind::gdn) { decay_.emplace(specs, name, options.heads, 0.0, rule); }
}

std::vector<CutBlock> DeltaMixer::gate_blocks() const {
    const CutBlock per_head{.rows = options_.heads, .units = options_.heads};
    if (decay_) { return {per_head, per_head}; }
    return {per_head};
}

DeltaMixer::Gates DeltaMixer::gates(Tape& tape, Parameters& parameters, const MixerInput& input) const {
    Gates made{.beta = sigmoid(tape, input.gates[0], options_.config.negative_eigenvalues ? 2.0 : 1.0), .g = {}};
    if (decay_) { made.g = (*decay_)(tape, parameters, input.gates[1]); }
    return made;
}

void DeltaMixer::discard(Tape& tape, const Gates& made) const {
    if (decay_) { tape.discard(made.g); }
    tape.discard(made.beta);
}

Tensor DeltaMixer::mix(Tape& tape, Parameters& parameters, const MixerInput& input, MixerTables&) const {
    const Gates made = gates(tape, parameters, input);
    const Tensor mixed =
        delta_attention(tape, input.q, input.k, input.v, made.beta, made.g, linear_attention_options(options_, input));
    discard(tape, made);
    return mixed;
}

Tensor DeltaMixer::step(Tape& tape, Parameters& parameters, const MixerInput& input, MixerTables&, MixerState& state,
                        std::int64_t) const {
    const Gates made = gates(tape, parameters, input);
    return delta_attention_step(tape, input.q, input.k, input.v, made.beta, made.g,
                                linear_attention_options(options_, input), state.state);
}

void DeltaMixer::allocate(MixerState& state, Arena& arena, DType dtype) const {
    state.state = allocated(arena, Shape{options_.heads, options_.head_dim, options_.head_dim}, dtype);
}

}  // namespace loglog
