#include "engine/nn/residual.hpp"

#include "engine/ops/dropout.hpp"

namespace loglog {

Tensor drop_and_add(Tape& tape, const Tensor& y, const ResidualBranch& branch) {
    return dropout(tape, y, branch.stream,
                   {.probability = branch.dropout,
                    .seed = branch.info.seed,
                    .step = branch.info.step,
                    .place = branch.place,
                    .first_row = branch.info.first_sequence * static_cast<std::uint64_t>(branch.time) +
                                 static_cast<std::uint64_t>(branch.first_row),
                    .scale = branch.scale});
}

}  // namespace loglog
