#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace loglog {

/// The upper 60 bits of a hash as the 12 characters of a run's id: digits and lower-case letters without i, l, o and u
/// (Crockford's base 32).
inline std::string short_id(std::uint64_t hash) {
    constexpr std::string_view digits = "0123456789abcdefghjkmnpqrstvwxyz";
    constexpr int characters = 12;
    std::string id;
    for (int i = 0; i < characters; ++i) { id += digits[(hash >> (59 - 5 * i)) & 31]; }
    return id;
}

}  // namespace loglog
