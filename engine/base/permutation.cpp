#include "engine/base/permutation.hpp"

#include <algorithm>
#include <bit>

namespace loglog {

KeyedPermutation::KeyedPermutation(std::uint64_t size, Seed seed, Stream stream, std::uint64_t group) noexcept
    : size_{size},
      half_bits_{std::max(1u, (static_cast<unsigned>(std::bit_width(size - 1)) + 1) / 2)},
      random_{seed, stream, group} {}

std::uint64_t KeyedPermutation::operator()(std::uint64_t position) const noexcept {
    do { position = encrypt(position); } while (position >= size_);
    return position;
}

std::uint64_t KeyedPermutation::encrypt(std::uint64_t value) const noexcept {
    const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
    std::uint64_t left = value >> half_bits_;
    std::uint64_t right = value & mask;
    for (std::uint64_t round = 0; round < 6; ++round) {
        const std::uint64_t mixed = left ^ (random_.bits(round << 32 | right) & mask);
        left = right;
        right = mixed;
    }
    return left << half_bits_ | right;
}

}  // namespace loglog
