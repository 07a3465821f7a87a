#pragma once

#include <cstdint>

namespace loglog {

enum class NormKind : std::uint8_t { layer, rms };
enum class MlpKind : std::uint8_t { gelu, gelu_erf, relu, swiglu, none };  ///< none: layers are attention alone

}  // namespace loglog
