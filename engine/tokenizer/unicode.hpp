#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace loglog {

/// The classes GPT-2's pre-tokenisation tells apart: \p{L}, \p{N}, \s (Unicode White_Space), everything else.
enum class CharacterClass : std::uint8_t { letter, number, space, other };

struct Character {
    CharacterClass character_class;
    std::uint8_t size;  ///< bytes, 1 to 4
};

/// The character that begins at `text[at]`, at < text.size(). A byte that begins no valid UTF-8 sequence counts as one
/// character of class `other`.
Character character_at(std::string_view text, std::size_t at) noexcept;

/// Whether all of `text` is valid UTF-8.
bool is_utf8(std::string_view text) noexcept;

/// Appends a code point as UTF-8.
void append_utf8(std::string& text, char32_t code_point);

/// Reads the code point at `text[at]` and advances `at`; -1, advancing by one, where the text is not valid UTF-8.
std::int32_t next_code_point(std::string_view text, std::size_t& at) noexcept;

}  // namespace loglog
