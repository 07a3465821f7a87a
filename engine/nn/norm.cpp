#include "engine/nn/norm.hpp"

#include "engine/nn/add_parameter.hpp"
#include "engine/ops/layer_norm.hpp"
#include "engine/ops/rms_norm.hpp"

namespace loglog {

NormLayer::NormLayer(std::vector<ParameterSpec>& specs, const std::string& name, NormKind kind, std::int64_t width,
                     bool bias, double epsilon, ParameterClass parameter_class, const ParameterizationRule& rule)
    : kind_{kind},
      epsilon_{epsilon},
      gain_{add_constant(specs, name + ".gain", Shape{width}, parameter_class, 1, rule)} {
    if (kind == NormKind::layer && bias) {
        bias_ = add_constant(specs, name + ".bias", Shape{width}, parameter_class, 0, rule);
    }
}

Tensor NormLayer::operator()(Tape& tape, Parameters& parameters, const Tensor& x) const {
    const Tensor gain = parameters.tensor(gain_);
    if (kind_ == NormKind::rms) { return rms_norm(tape, x, gain, epsilon_); }
    return layer_norm(tape, x, gain, bias_ ? parameters.tensor(*bias_) : Tensor{}, epsilon_);
}

}  // namespace loglog
