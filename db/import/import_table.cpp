#include "db/import/import_table.hpp"

#include <algorithm>
#include <array>

#include "engine/base/error.hpp"

namespace loglog {

void ImportProblems::throw_if_any() const {
    constexpr std::size_t most_listed = 20;
    if (list_.empty()) { return; }
    std::string text = source_ + ": " + std::to_string(list_.size()) + (list_.size() == 1 ? " problem" : " problems");
    for (std::size_t i = 0; i < std::min(list_.size(), most_listed); ++i) { text += "\n  " + list_[i]; }
    if (list_.size() > most_listed) { text += "\n  and " + std::to_string(list_.size() - most_listed) + " more"; }
    throw InputError{text};
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) { return {}; }
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool says_nothing(std::string_view cell) {
    constexpr std::array<std::string_view, 5> words{"", "null", "None", "NA", "N/A"};
    return std::find(words.begin(), words.end(), cell) != words.end();
}

}  // namespace loglog
