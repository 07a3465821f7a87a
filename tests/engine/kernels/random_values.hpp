#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/random.hpp"

namespace loglog {

/// `count` standard normal values, the same in every type up to rounding.
template <class T>
std::vector<T> random_values(std::size_t count, std::uint64_t seed) {
    const Random random{Seed{seed}, Stream::synthetic_data};
    std::vector<T> values(count);
    for (std::size_t i = 0; i < count; ++i) { values[i] = static_cast<T>(random.normal(i)); }
    return values;
}

}  // namespace loglog
