#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/nn/parameters.hpp"

namespace loglog {

/// The parameters of a linear layer: weight [out, in] and perhaps bias [out].
class LinearLayer {
  public:
    struct Sizes {
        std::int64_t in;
        std::int64_t out;
    };
    enum class Ends : bool { inside_branch, residual_branch };

    LinearLayer(std::vector<ParameterSpec>& specs, const std::string& name, Sizes sizes, bool bias, double init_std,
                Ends ends, const ParameterizationRule& rule);

    Tensor weight(Parameters& parameters) const { return parameters.tensor(weight_); }
    /// A tensor without data if there is no bias.
    Tensor bias(Parameters& parameters) const { return bias_ ? parameters.tensor(*bias_) : Tensor{}; }

  private:
    ParameterId weight_;
    std::optional<ParameterId> bias_;
};

}  // namespace loglog
