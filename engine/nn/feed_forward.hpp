#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/autograd/tape.hpp"
#include "engine/nn/kinds.hpp"
#include "engine/nn/linear_layer.hpp"
#include "engine/nn/residual.hpp"

namespace loglog {

/// The MLP of a block: down(activation(up(x))), or down(silu(gate(x)) * up(x)) with gate and up in one matrix.
class FeedForward {
  public:
    struct Options {
        MlpKind kind;
        std::int64_t width;
        std::int64_t hidden;
        bool bias;
        double init_std;
    };

    FeedForward(std::vector<ParameterSpec>& specs, const std::string& name, const Options& options,
                const ParameterizationRule& rule);

    /// residual + scale * dropped(mlp(x)), all [rows, width], of this rank's rows.
    Tensor operator()(Tape& tape, Parameters& parameters, const Tensor& x, const ResidualBranch& branch) const;

  private:
    MlpKind kind_;
    LinearLayer up_;
    LinearLayer down_;
};

}  // namespace loglog
