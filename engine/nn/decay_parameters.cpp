#include "engine/nn/decay_parameters.hpp"

#include "engine/nn/add_parameter.hpp"
#include "engine/ops/gates.hpp"

namespace loglog {

DecayParameters::DecayParameters(std::vector<ParameterSpec>& specs, const std::string& name, std::int64_t heads,
                                 double lowest_rate, const ParameterizationRule& rule) {
    const Cut by_head{.axis = Cut::Axis::rows, .blocks = {{.rows = heads, .units = heads}}};
    rate_ = add_between(specs, name + ".decay.rate", Shape{heads}, ParameterClass::hidden_vector,
                        InitialValues::log_of_uniform, lowest_rate, 16, rule, by_head);
    offset_ = add_between(specs, name + ".decay.offset", Shape{heads}, ParameterClass::hidden_vector,
                          InitialValues::softplus_of_log_scale, 1e-3, 1e-1, rule, by_head);
}

Tensor DecayParameters::operator()(Tape& tape, Parameters& parameters, const Tensor& x) const {
    return decay_gate(tape, x, parameters.tensor(rate_), parameters.tensor(offset_));
}

}  // namespace loglog
