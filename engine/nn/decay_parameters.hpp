#pragma once

#include <string>
#include <vector>

#include "engine/autograd/tape.hpp"
#include "engine/nn/parameters.hpp"

namespace loglog {

/// The parameters of a decay per head and token, g = -exp(rate) softplus(x + offset): Mamba-2's A_log and dt_bias (Dao
/// and Gu 2024, arXiv:2405.21060). Neither is decayed by the optimizer.
class DecayParameters {
  public:
    /// exp(rate) starts between lowest_rate and 16, the step softplus(offset) between 1e-3 and 1e-1.
    DecayParameters(std::vector<ParameterSpec>& specs, const std::string& name, std::int64_t heads, double lowest_rate,
                    const ParameterizationRule& rule);

    /// x [rows, local heads] -> g, the same shape.
    Tensor operator()(Tape& tape, Parameters& parameters, const Tensor& x) const;

  private:
    ParameterId rate_;
    ParameterId offset_;
};

}  // namespace loglog
