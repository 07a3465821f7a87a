#pragma once

#include <cstdint>
#include <span>

#include "engine/nn/parameters.hpp"

namespace loglog {

/// Neighbouring rows of what this rank holds of a parameter, with their optimizer state: what this rank updates, saves
/// and loads. Without sharded moments it is one piece per parameter.
struct StatePiece {
    ParameterId parameter{};
    std::int64_t first_row = 0;  ///< local
    std::int64_t rows = 0;
    std::span<float> values;  ///< [rows, columns]
    std::span<float> gradient;
    std::span<float> first_moment;
    std::span<float> second_moment;
};

}  // namespace loglog
