#include "engine/base/random.hpp"

#include <cmath>
#include <numbers>

namespace loglog {

double Random::normal(std::uint64_t index) const noexcept {
    const auto b = block(index);
    const auto fraction = [](std::uint32_t high, std::uint32_t low) {
        return static_cast<double>((std::uint64_t{high} << 32 | low) >> 11) * 0x1.0p-53;
    };
    const double radius =
        std::sqrt(-2.0 * std::log1p(-fraction(b[0], b[1])));  // log1p(-u): u = 0 is allowed, 1 never occurs
    return radius * std::cos(2.0 * std::numbers::pi * fraction(b[2], b[3]));
}

}  // namespace loglog
