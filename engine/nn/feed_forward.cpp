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
            break;
    }
    return Activation::none;
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
          rule},
      down_{specs,        name + ".down",   {.in = options.hidden, .out = options.width},
            options.bias, options.init_std, LinearLayer::Ends::residual_branch,
            rule} {}

Tensor FeedForward::operator()(Tape& tape, Parameters& parameters, const Tensor& x,
                               const ResidualBranch& branch) const {
    const Tensor up_weight = up_.weight(parameters);
    const Tensor up_bias = up_.bias(parameters);
    const Tensor down_weight = down_.weight(parameters);
    const Tensor down_bias = down_.bias(parameters);
    if (kind_ == MlpKind::swiglu) {
        const Tensor gate_and_up = linear(tape, x, up_weight, {.bias = up_bias});
        const Tensor hidden = swiglu(tape, gate_and_up);
        tape.discard(gate_and_up);
        const Tensor y = join(tape, hidden, down_weight, down_bias, branch);
        tape.discard(hidden);
        return y;
    }
    const Activated hidden = linear_activated(tape, x, up_weight, up_bias, pointwise(kind_));
    const Tensor y = join(tape, hidden, down_weight, down_bias, branch);
    tape.discard(hidden.value);
    return y;
}

}  // namespace loglog
