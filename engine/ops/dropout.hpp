#pragma once

#include <cstdint>

#include "engine/autograd/tape.hpp"
#include "engine/base/random.hpp"

namespace loglog {

struct DropoutOptions {
    double probability = 0;
    Seed seed{};
    std::uint64_t step = 0;
    std::uint32_t place = 0;      ///< tells apart the places of a model that drop
    std::uint64_t first_row = 0;  ///< global index of the first row's token
    double scale = 1;
};

/// residual + scale * dropped(x), all [rows, width]; values are kept with probability 1 - p and then multiplied by
/// 1 / (1 - p). What is dropped depends on (seed, step, place, global row, column) alone. `residual` may be absent.
Tensor dropout(Tape& tape, const Tensor& x, const Tensor& residual, const DropoutOptions& options);

}  // namespace loglog
