#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace loglog {

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4): polynomial 0x1edc6f41, reflected, all bits inverted before and after.
inline std::uint32_t crc32c(std::string_view bytes) noexcept {
    constexpr auto table = [] {
        std::array<std::uint32_t, 256> entries{};
        for (std::uint32_t byte = 0; byte < 256; ++byte) {
            std::uint32_t value = byte;
            for (int bit = 0; bit < 8; ++bit) { value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78U : 0U); }
            entries[byte] = value;
        }
        return entries;
    }();
    std::uint32_t value = 0xffffffffU;
    for (const char c : bytes) { value = (value >> 8) ^ table[(value ^ static_cast<unsigned char>(c)) & 0xffU]; }
    return ~value;
}

/// As stored in TFRecord files: rotated right by 15 bits, plus a constant, so that a checksum of data that holds
/// checksums stays a good one.
inline std::uint32_t masked_crc32c(std::string_view bytes) noexcept {
    const std::uint32_t crc = crc32c(bytes);
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

}  // namespace loglog
