#include "engine/tokenizer/unicode.hpp"

#include <utf8proc.h>

#include <array>
#include <cstring>

namespace loglog {

namespace {

// The property White_Space (PropList.txt): stable since Unicode 6.3.
constexpr bool is_white_space(std::int32_t c) noexcept {
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

CharacterClass classify(std::int32_t code_point) noexcept {
    if (is_white_space(code_point)) { return CharacterClass::space; }
    switch (utf8proc_category(code_point)) {
        case UTF8PROC_CATEGORY_LU:
        case UTF8PROC_CATEGORY_LL:
        case UTF8PROC_CATEGORY_LT:
        case UTF8PROC_CATEGORY_LM:
        case UTF8PROC_CATEGORY_LO:
            return CharacterClass::letter;
        case UTF8PROC_CATEGORY_ND:
        case UTF8PROC_CATEGORY_NL:
        case UTF8PROC_CATEGORY_NO:
            return CharacterClass::number;
        default:
            return CharacterClass::other;
    }
}

constexpr std::array<CharacterClass, 128> ascii_classes = [] {
    std::array<CharacterClass, 128> classes{};
    for (int c = 0; c < 128; ++c) {
        auto& result = classes[static_cast<std::size_t>(c)];
        const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (is_letter) {
            result = CharacterClass::letter;
        } else if (c >= '0' && c <= '9') {
            result = CharacterClass::number;
        } else {
            result = is_white_space(c) ? CharacterClass::space : CharacterClass::other;
        }
    }
    return classes;
}();

}  // namespace

std::int32_t next_code_point(std::string_view text, std::size_t& at) noexcept {
    utf8proc_int32_t code_point = -1;
    const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at;
    const auto size = utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(text.size() - at), &code_point);
    at += size > 0 ? static_cast<std::size_t>(size) : 1;
    return size > 0 ? code_point : -1;
}

Character character_at(std::string_view text, std::size_t at) noexcept {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 128) { return {ascii_classes[byte], 1}; }
    std::size_t end = at;
    const std::int32_t code_point = next_code_point(text, end);
    if (code_point < 0) { return {CharacterClass::other, 1}; }
    return {classify(code_point), static_cast<std::uint8_t>(end - at)};
}

bool is_utf8(std::string_view text) noexcept {
    std::size_t at = 0;
    while (at < text.size()) {
        std::uint64_t eight = 0;
        if (at + sizeof eight <= text.size()) {
            std::memcpy(&eight, text.data() + at, sizeof eight);
            if ((eight & 0x8080808080808080u) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        if (static_cast<unsigned char>(text[at]) < 128) {
            ++at;
        } else if (next_code_point(text, at) < 0) {
            return false;
        }
    }
    return true;
}

void append_utf8(std::string& text, char32_t code_point) {
    std::array<utf8proc_uint8_t, 4> bytes{};
    const auto size = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code_point), bytes.data());
    text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(size));
}

}  // namespace loglog
