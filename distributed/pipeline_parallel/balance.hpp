#pragma once

#include <span>
#include <vector>

#include "engine/models/model_part.hpp"

namespace loglog {

/// Cuts layers into `pieces` of neighbours such that the most expensive piece is as cheap as can be; `first_extra` is
/// what the first piece does besides (embedding), `last_extra` the last (head). Every piece has at least one layer.
/// Throws InputError when there are fewer layers than pieces.
std::vector<LayerRange> balance_layers(std::span<const double> layer_costs, int pieces, double first_extra,
                                       double last_extra);

/// Chunk c of stage s is piece c * stages + s.
std::vector<LayerRange> chunks_of_stage(std::span<const LayerRange> pieces, int stages, int stage);

}  // namespace loglog
