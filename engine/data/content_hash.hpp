#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace loglog {

/// XXH3-128 of some bytes. Not cryptographic: it tells documents apart, it does not protect against forgery.
struct ContentHash {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    friend constexpr auto operator<=>(const ContentHash&, const ContentHash&) = default;
};

ContentHash content_hash(std::string_view bytes) noexcept;

/// XXH3-64, for checksums of shards.
std::uint64_t checksum(std::span<const std::byte> bytes) noexcept;

/// 32 and 16 hexadecimal digits.
std::string to_hex(const ContentHash& hash);
std::string to_hex(std::uint64_t value);

}  // namespace loglog
