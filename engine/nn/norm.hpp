#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/autograd/tape.hpp"
#include "engine/nn/kinds.hpp"
#include "engine/nn/parameters.hpp"

namespace loglog {

/// LayerNorm (with or without bias) or RMSNorm with its parameters.
class NormLayer {
  public:
    NormLayer(std::vector<ParameterSpec>& specs, const std::string& name, NormKind kind, std::int64_t width, bool bias,
              double epsilon, ParameterClass parameter_class, const ParameterizationRule& rule);

    /// x [.., width] -> the same shape.
    Tensor operator()(Tape& tape, Parameters& parameters, const Tensor& x) const;

  private:
    NormKind kind_;
    double epsilon_;
    ParameterId gain_;
    std::optional<ParameterId> bias_;
};

}  // namespace loglog
