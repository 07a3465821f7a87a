#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/autograd/tape.hpp"
#include "engine/nn/parameters.hpp"
#include "engine/ops/leaf_cut.hpp"

namespace loglog {

/// The parameters of a linear layer: weight [out, in] and perhaps bias [out].
///
/// In a tensor-parallel model a layer inside a branch is cut by output features (its bias alike), and the layer that
/// ends the branch by input features, whose bias every rank has whole.
class LinearLayer {
  public:
    struct Sizes {
        std::int64_t in;
        std::int64_t out;
    };
    enum class Ends : bool { inside_branch, residual_branch };

    /// `blocks`: of the output features of a layer inside a branch, at most six.
    LinearLayer(std::vector<ParameterSpec>& specs, const std::string& name, Sizes sizes, bool bias, double init_std,
                Ends ends, const ParameterizationRule& rule, std::vector<CutBlock> blocks);

    Tensor weight(Parameters& parameters) const { return parameters.tensor(weight_); }
    /// A tensor without data if there is no bias.
    Tensor bias(Parameters& parameters) const { return bias_ ? parameters.tensor(*bias_) : Tensor{}; }

    /// How this rank's share of a layer inside a branch is cut. Under sequence parallelism the input is gathered from
    /// all ranks, and it is the gathering that sums its gradient.
    ColumnCut column_cut(const Parameters& parameters) const;

  private:
    ParameterId weight_;
    std::optional<ParameterId> bias_;
};

/// x as the input of a layer that is cut by output features: under sequence parallelism the ranks' rows are gathered.
Tensor gathered_input(Tape& tape, const Tensor& x, const TensorShard& shard);
/// For forward passes: the input is not read again by anything but a backward pass. Frees what was gathered.
void discard_gathered(Tape& tape, const Tensor& input, const TensorShard& shard) noexcept;

}  // namespace loglog
