#pragma once

#include <cstdint>

#include "engine/autograd/tape.hpp"
#include "engine/nn/step_info.hpp"
#include "engine/ops/linear.hpp"

namespace loglog {

/// How a branch's output joins the residual stream: h + scale * dropped(branch).
struct ResidualBranch {
    Tensor stream;  ///< h, [rows, width]
    double scale = 1;
    double dropout = 0;
    std::uint32_t place = 0;  ///< tells apart the places of a model that drop
    std::int64_t time = 1;    ///< tokens per sequence
    StepInfo info;
};

/// stream + scale * dropped(y).
Tensor drop_and_add(Tape& tape, const Tensor& y, const ResidualBranch& branch);

/// The final projection of a branch and its joining: stream + scale * dropped(x weight^T + bias), in one matrix product
/// when nothing drops. `x` is a Tensor or Activated.
template <class X>
Tensor join(Tape& tape, const X& x, const Tensor& weight, const Tensor& bias, const ResidualBranch& branch) {
    if (branch.dropout == 0 || !tape.recording()) {
        return linear(tape, x, weight, {.bias = bias, .residual = branch.stream, .residual_scale = branch.scale});
    }
    const Tensor y = linear(tape, x, weight, {.bias = bias});
    return drop_and_add(tape, y, branch);
}

}  // namespace loglog
