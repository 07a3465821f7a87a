#include "engine/tokenizer/pre_tokenize.hpp"

#include "engine/tokenizer/unicode.hpp"

namespace loglog {

namespace {

// The length of 's 't 're 've 'm 'll 'd where `text` begins with one, else 0.
std::size_t contraction_size(std::string_view text) noexcept {
    if (text.size() < 2 || text[0] != '\'') { return 0; }
    const char c = text[1];
    if (c == 's' || c == 't' || c == 'm' || c == 'd') { return 2; }
    const auto pair = text.substr(1, 2);
    return pair == "re" || pair == "ve" || pair == "ll" ? 3 : 0;
}

std::size_t end_of_run(std::string_view text, std::size_t at, CharacterClass wanted) noexcept {
    while (at < text.size()) {
        const Character next = character_at(text, at);
        if (next.character_class != wanted) { break; }
        at += next.size;
    }
    return at;
}

// \s+(?!\S)|\s+ : a run of spaces leaves its last one to what follows, unless that is all it has.
std::size_t end_of_spaces(std::string_view text, std::size_t begin) noexcept {
    std::size_t at = begin;
    std::size_t last = begin;
    while (at < text.size()) {
        const Character next = character_at(text, at);
        if (next.character_class != CharacterClass::space) { break; }
        last = at;
        at += next.size;
    }
    return at == text.size() || last == begin ? at : last;
}

}  // namespace

std::size_t pre_token_end(std::string_view text, std::size_t begin) noexcept {
    if (const std::size_t size = contraction_size(text.substr(begin)); size > 0) { return begin + size; }
    const std::size_t after_blank = begin + (text[begin] == ' ' ? 1 : 0);
    if (after_blank < text.size()) {
        const Character first = character_at(text, after_blank);
        if (first.character_class != CharacterClass::space) {
            return end_of_run(text, after_blank + first.size, first.character_class);
        }
    }
    return end_of_spaces(text, begin);
}

}  // namespace loglog
