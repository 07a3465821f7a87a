#include "engine/nn/vector_decay_mixer.hpp"

#include "engine/nn/add_parameter.hpp"
#include "engine/ops/columns.hpp"
#include "engine/ops/gates.hpp"
#include "engine/ops/vector_decay_attention.hpp"

namespace loglog {
namespace {

// Yang et al. 2024, arXiv:2312.06635, sec. 4.4.
constexpr std::int64_t rank = 16;
constexpr double divisor = 16;

}  // namespace

VectorDecayMixer::VectorDecayMixer(std::vector<ParameterSpec>& specs, const std::string& name,
                                   const MixerOptions& options, const ParameterizationRule& rule)
    : options_{options} {
    const auto channels = options.heads * options.head_dim;
    const Cut by_head{.axis = Cut::Axis::rows, .blocks = {{.rows = channels, .units = options.heads}}};
    // Its inputs do not grow with the model, so neither its initial values nor its learning rate shrink with width: a
    // vector's rule.
    weight_ = add_normal(specs, name + ".decay.weight", Shape{channels, rank}, ParameterClass::hidden_vector,
                         options.init_std, rule, by_head);
    bias_ = add_constant(specs, name + ".decay.bias", Shape{channels}, ParameterClass::hidden_vector, 0, rule, by_head);
}

std::vector<CutBlock> VectorDecayMixer::gate_blocks() const { return {{.rows = rank, .units = 1}}; }

Tensor VectorDecayMixer::log_decays(Tape& tape, Parameters& parameters, const MixerInput& input) const {
    const Tensor raw = leafwise_linear(tape, input.gates[0], parameters.tensor(weight_), input.local.leaves);
    const Tensor g = log_sigmoid_gate(tape, raw, parameters.tensor(bias_), divisor);
    tape.discard(raw);
    return g;
}

Tensor VectorDecayMixer::mix(Tape& tape, Parameters& parameters, const MixerInput& input, MixerTables&) const {
    const Tensor g = log_decays(tape, parameters, input);
    const Tensor mixed =
        vector_decay_attention(tape, input.q, input.k, input.v, g, linear_attention_options(options_, input));
    tape.discard(g);
    return mixed;
}

Tensor VectorDecayMixer::step(Tape& tape, Parameters& parameters, const MixerInput& input, MixerTables&,
                              MixerState& state, std::int64_t) const {
    return vector_decay_attention_step(tape, input.q, input.k, input.v, log_decays(tape, parameters, input),
                                       linear_attention_options(options_, input), state.state);
}

void VectorDecayMixer::allocate(MixerState& state, Arena& arena, DType dtype) const {
    state.state = allocated(arena, Shape{options_.heads, options_.head_dim, options_.head_dim}, dtype);
}

}  // namespace loglog
