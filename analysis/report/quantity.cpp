#include "analysis/report/quantity.hpp"

#include <fmt/format.h>

#include <cmath>

namespace loglog {

std::string with_prefix(double value) {
    if (!std::isfinite(value)) { return "-"; }
    if (std::abs(value) >= 1e15) { return fmt::format("{:.2e}", value); }
    constexpr std::pair<double, const char*> prefixes[] = {{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}};
    for (const auto& [size, prefix] : prefixes) {
        if (std::abs(value) >= 0.9995 * size) { return fmt::format("{:.3g}{}", value / size, prefix); }
    }
    return fmt::format("{:.3g}", value);
}

std::string short_number(double value) { return std::isfinite(value) ? fmt::format("{:.4g}", value) : "-"; }

std::string interval_text(const Estimate& e) {
    if (!std::isfinite(e.low) || !std::isfinite(e.high)) { return "not estimated"; }
    return fmt::format("{:.3f} to {:.3f}", e.low, e.high);
}

std::string value_text(const Estimate& e) {
    if (!std::isfinite(e.low) || !std::isfinite(e.high)) { return fmt::format("{:.3f}", e.value); }
    return fmt::format("{:.3f} [{:.3f}, {:.3f}]", e.value, e.low, e.high);
}

}  // namespace loglog
