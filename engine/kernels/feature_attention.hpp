#pragma once

#include <cstdint>

namespace loglog {

/// What linear attention applies to queries and keys before their product.
enum class FeatureMap : std::uint8_t {
    identity,      ///< they are features already
    elu_plus_one,  ///< x + 1 above 0, exp(x) from there down
    relu,
};

}  // namespace loglog
