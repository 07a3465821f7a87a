#include "engine/nn/linear_layer.hpp"

#include "engine/nn/add_parameter.hpp"

namespace loglog {

LinearLayer::LinearLayer(std::vector<ParameterSpec>& specs, const std::string& name, Sizes sizes, bool bias,
                         double init_std, Ends ends, const ParameterizationRule& rule)
    : weight_{add_normal(specs, name + ".weight", Shape{sizes.out, sizes.in}, ParameterClass::hidden_matrix,
                         init_std * rule.init_multiplier(ParameterClass::hidden_matrix, ends == Ends::residual_branch),
                         rule)} {
    if (bias) { bias_ = add_constant(specs, name + ".bias", Shape{sizes.out}, ParameterClass::hidden_vector, 0, rule); }
}

}  // namespace loglog
