#include "apps/loglog/option_checks.hpp"

#include <fmt/format.h>

#include <cmath>

namespace loglog {
namespace {

/// The message where `text` is a number that `accepts` refuses; what is no number is refused by the option's type.
template <class Accepts>
std::string refuse(const std::string& text, std::string_view wanted, const Accepts& accepts) {
    double value = 0;
    if (!CLI::detail::lexical_cast(text, value)) { return fmt::format("{} is not a number", text); }
    return accepts(value) ? std::string{} : fmt::format("{} must be {}", text, wanted);
}

}  // namespace

CLI::Validator positive_number() {
    const auto check = [](const std::string& text) {
        return refuse(text, "a finite number above 0", [](double value) { return std::isfinite(value) && value > 0; });
    };
    return {check, "POSITIVE"};
}

CLI::Validator number_within(double low, double high) {
    const std::string range = fmt::format("from {:g} to {:g}", low, high);
    const auto check = [=](const std::string& text) {
        return refuse(text, range, [=](double value) { return value >= low && value <= high; });
    };
    return {check, range};
}

}  // namespace loglog
