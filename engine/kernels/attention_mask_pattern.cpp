#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/kernels/attention_mask_builder.hpp"

namespace loglog {
namespace {

struct BlockRange {
    std::size_t begin;
    std::size_t end;
};

[[noreturn]] void fail(std::size_t line, const std::string& message) {
    throw InputError{"attention pattern, line " + std::to_string(line) + ": " + message};
}

/// The words of a line without its comment.
std::vector<std::string_view> words_of(std::string_view line) {
    line = line.substr(0, line.find('#'));
    std::vector<std::string_view> words;
    constexpr std::string_view space = " \t\r";
    for (std::size_t at = line.find_first_not_of(space); at != std::string_view::npos;) {
        const std::size_t end = std::min(line.find_first_of(space, at), line.size());
        words.push_back(line.substr(at, end - at));
        at = line.find_first_not_of(space, end);
    }
    return words;
}

std::optional<std::uint32_t> number_of(std::string_view word) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (word.empty() || error != std::errc{} || end != word.data() + word.size()) { return {}; }
    return number;
}

BlockRange range_of(std::string_view word, std::size_t line, std::size_t row) {
    const auto dash = word.find('-');
    const auto first = number_of(word.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number_of(word.substr(dash + 1));
    if (!first || !last || *first > *last) {
        fail(line, "'" + std::string{word} + "' is neither a block's number nor a range such as 2-5");
    }
    if (*last > row) {
        fail(line, "block " + std::to_string(*last) + " is later than this row's own, " + std::to_string(row) +
                       ": a query sees itself and the past only");
    }
    return {*first, *last + std::size_t{1}};
}

struct Pattern {
    std::size_t block = 1;
    std::vector<std::vector<BlockRange>> rows;
    std::size_t lines = 0;
};

Pattern parse(std::string_view text) {
    Pattern pattern;
    bool has_block = false;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        ++pattern.lines;
        const auto words = words_of(line);
        if (words.empty()) { continue; }
        if (words[0] == "block") {
            const auto size = words.size() == 2 ? number_of(words[1]) : std::nullopt;
            if (!size || *size == 0) { fail(pattern.lines, "'block' needs one number, the tokens in a block"); }
            if (has_block || !pattern.rows.empty()) { fail(pattern.lines, "'block' stands once, before all rows"); }
            pattern.block = *size;
            has_block = true;
            continue;
        }
        auto& row = pattern.rows.emplace_back();
        for (const auto word : words) { row.push_back(range_of(word, pattern.lines, pattern.rows.size() - 1)); }
    }
    return pattern;
}

}  // namespace

AttentionMask pattern_mask(std::int64_t time, std::string_view text) {
    LOGLOG_ASSERT(time >= 0);
    const auto length = static_cast<std::size_t>(time);
    const Pattern pattern = parse(text);
    const std::size_t needed = (length + pattern.block - 1) / pattern.block;
    if (pattern.rows.size() < needed) {
        fail(pattern.lines, "the pattern ends after " + std::to_string(pattern.rows.size()) +
                                " rows, but a context of " + std::to_string(time) + " tokens in blocks of " +
                                std::to_string(pattern.block) + " needs " + std::to_string(needed));
    }
    AttentionMaskBuilder builder{time, 1};
    for (std::size_t query_tile = 0; query_tile < builder.tiles(); ++query_tile) {
        for (std::size_t row = 0; row < builder.rows_of(query_tile); ++row) {
            const std::size_t query = query_tile * attention_tile + row;
            for (const auto& range : pattern.rows[query / pattern.block]) {
                builder.add_keys(query_tile, row, range.begin * pattern.block, range.end * pattern.block);
            }
        }
        builder.end_row(query_tile, 0);
    }
    return builder.finish();
}

}  // namespace loglog
