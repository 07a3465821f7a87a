#include "analysis/fit/rounded.hpp"

#include <array>
#include <charconv>

namespace loglog {

std::string twelve_digits(double x) {
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), x, std::chars_format::general, 12).ptr;
    return {text.data(), end};
}

double rounded(double x) { return std::stod(twelve_digits(x)); }

}  // namespace loglog
