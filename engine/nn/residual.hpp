#pragma once

#include <cstdint>

#include "engine/autograd/tape.hpp"
#include "engine/nn/step_info.hpp"

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

/// The final projection of a branch and its joining: h + scale * dropped(x weight^T + bias), fused when nothing drops.
Tensor join(Tape& tape, const Tensor& x, const Tensor& weight, const Tensor& bias, const ResidualBranch& branch);

}  // namespace loglog
