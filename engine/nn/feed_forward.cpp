#include "engine/nn/feed_forward.hpp"

#include "engine/ops/activation.hpp"
#include "engine/ops/linear.hpp"

namespace loglog {
namespace {

Activation pointwise(MlpKind kind) {
    switch (kind) {
        case MlpKind::gelu:
            return Activation::gelu;
        case MlpKind::gelu_erf:
            return Activation::gelu_erf;
        case MlpKind::relu:
            return Activation::relu;
        case MlpKind::swiglu:
        case MlpKind::none:
            break;
    }
    return Activation::none;
}

std::vector<CutBlock> up_blocks(const FeedForward::Options& options) {
    const CutBlock block{.rows = options.hidden, .units = options.hidden};
    if (options.kind == MlpKind::swiglu) { return {block, block}; }
    return {block};
}

}  // namespace

FeedForward::FeedForward(std::vector<ParameterSpec>& specs, const std::string& name, const Options& options,
                         const ParameterizationRule& rule)
    : kind_{options.kind},
      up_{specs,
          name + ".up",
          {.in = options.width, .out = options.hidden * (options.kind == MlpKind::swiglu ? 2 : 1)},
          options.bias,
          options.init_std,
          LinearLayer::Ends::inside_branch,
          rule,
          up_blocks(options)},
      down_{specs,
            name + ".down",
            {.in = options.hidden, .out = options.width},
            options.bias,
            options.init_std,
            LinearLayer::Ends::residual_branch,
            rule,
            {}} {}

Tensor FeedForward::operator()(Tape& tape, Parameters& parameters, const Tensor& x,
                               const ResidualBranch& branch) const {
    const Tensor input = gathered_input(tape, x, parameters.shard());
    const Tensor up_weight = up_.weight(parameters);
    const Tensor up_bias = up_.bias(parameters);
    const ColumnCut cut = up_.column_cut(parameters);
    if (kind_ == MlpKind::swiglu) {
        // Local rows are all gates, then all ups, leaf after leaf in each: the halves that swiglu takes.
        const Tensor gate_and_up = linear(tape, input, up_weight, {.bias = up_bias, .cut = cut});
        discard_gathered(tape, input, parameters.shard());
        const Tensor hidden = swiglu(tape, gate_and_up);
        tape.discard(gate_and_up);
        const Tensor y = join(tape, parameters, hidden, down_, branch);
        tape.discard(hidden);
        return y;
    }
    const Activated hidden = linear_activated(tape, input, up_weight, up_bias, pointwise(kind_), cut);
    discard_gathered(tape, input, parameters.shard());
    const Tensor y = join(tape, parameters, hidden, down_, branch);
    tape.discard(hidden.value);
    return y;
}

}  // namespace loglog
