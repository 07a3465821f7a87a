#pragma once

#include <cstdint>

#include "engine/autograd/tape.hpp"
#include "engine/nn/linear_layer.hpp"
#include "engine/nn/step_info.hpp"
#include "engine/ops/linear.hpp"
#include "engine/ops/row_linear.hpp"

namespace loglog {

/// How a branch's output joins the residual stream: h + scale * dropped(branch).
struct ResidualBranch {
    Tensor stream;  ///< h, [rows, width]
    double scale = 1;
    double dropout = 0;
    std::uint32_t place = 0;     ///< tells apart the places of a model that drop
    std::int64_t time = 1;       ///< tokens per sequence
    std::int64_t first_row = 0;  ///< of the stream in its micro-batch: not 0 where ranks hold different rows
    StepInfo info;
};

/// stream + scale * dropped(y).
Tensor drop_and_add(Tape& tape, const Tensor& y, const ResidualBranch& branch);

/// The final projection of a branch and its joining: stream + scale * dropped(x weight^T + bias), in one matrix product
/// when nothing drops and nothing is cut. `x` is a Tensor or Activated.
template <class X>
Tensor join(Tape& tape, Parameters& parameters, const X& x, const LinearLayer& layer, const ResidualBranch& branch) {
    const Tensor weight = layer.weight(parameters);
    const Tensor bias = layer.bias(parameters);
    const auto& shard = parameters.shard();
    const bool drops = branch.dropout > 0 && tape.recording();
    if (shard.is_cut()) {
        const Tensor sum =
            row_linear(tape, x, weight,
                       {.leaf_count = shard.leaf_count, .group = shard.group, .scatter_rows = shard.sequence_parallel});
        if (drops) {
            const Tensor biased = bias.data != nullptr ? bias_residual(tape, sum, bias, {}, 1) : sum;
            return drop_and_add(tape, biased, branch);
        }
        const Tensor joined = bias_residual(tape, sum, bias, branch.stream, branch.scale);
        tape.discard(sum);
        return joined;
    }
    if (!drops) {
        return linear(tape, x, weight, {.bias = bias, .residual = branch.stream, .residual_scale = branch.scale});
    }
    return drop_and_add(tape, linear(tape, x, weight, {.bias = bias}), branch);
}

}  // namespace loglog
