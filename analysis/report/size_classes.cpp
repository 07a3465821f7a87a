#include "analysis/report/size_classes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "analysis/report/quantity.hpp"

namespace loglog {
namespace {

constexpr std::size_t most_classes = 9;  // more lines than that in a legend are not read

using Colour = std::array<double, 3>;
constexpr std::array<Colour, 5> anchors{
    {{0x6A, 0x5F, 0xC1}, {0x2F, 0x7F, 0xBF}, {0x1D, 0x9E, 0x89}, {0x7D, 0xAF, 0x3A}, {0xE0, 0xA5, 0x1B}}};

}  // namespace

SizeClasses::SizeClasses(const Report& report) {
    std::set<double> sizes;
    for (const auto& run : report.input.runs) {
        const double n = static_cast<double>(run.record.non_embedding_params.value_or(0));
        if (n > 0) { sizes.insert(n); }
    }
    if (sizes.size() <= most_classes) {
        for (const double size : sizes) {
            const std::string label = with_prefix(size);
            if (labels_.empty() || labels_.back() != label) {
                labels_.push_back(label);
                upper_.push_back(size);
            }
            upper_.back() = size;  // sizes that read the same are one class
        }
        return;
    }
    const double first = std::log(*sizes.begin());
    const double width = (std::log(*sizes.rbegin()) - first) / static_cast<double>(most_classes);
    for (std::size_t k = 0; k < most_classes; ++k) {
        const double edge =
            k + 1 == most_classes ? *sizes.rbegin() : std::exp(first + width * static_cast<double>(k + 1));
        const auto from = upper_.empty() ? sizes.begin() : sizes.upper_bound(upper_.back());
        const auto to = sizes.upper_bound(edge);
        if (from == to) { continue; }
        const double least = *from;
        const double most = *std::prev(to);
        upper_.push_back(most);
        labels_.push_back(least == most ? with_prefix(least)
                                        : fmt::format("{} to {}", with_prefix(least), with_prefix(most)));
    }
}

std::string SizeClasses::label(double parameters) const {
    if (!(parameters > 0) || upper_.empty()) { return {}; }
    const auto found = std::lower_bound(upper_.begin(), upper_.end(), parameters);
    return found == upper_.end() ? labels_.back() : labels_[static_cast<std::size_t>(found - upper_.begin())];
}

std::vector<std::string> SizeClasses::colours() const { return colour_sequence(labels_.size()); }

std::vector<std::string> colour_sequence(std::size_t count) {
    std::vector<std::string> colours;
    for (std::size_t i = 0; i < count; ++i) {
        const double at = count == 1 ? 1.0 : 4.0 * static_cast<double>(i) / static_cast<double>(count - 1);
        const auto below = std::min<std::size_t>(static_cast<std::size_t>(at), 3);
        const double share = at - static_cast<double>(below);
        std::array<int, 3> mixed{};
        for (std::size_t c = 0; c < 3; ++c) {
            mixed[c] = static_cast<int>(std::lround(anchors[below][c] * (1 - share) + anchors[below + 1][c] * share));
        }
        colours.push_back(fmt::format("#{:02X}{:02X}{:02X}", mixed[0], mixed[1], mixed[2]));
    }
    return colours;
}

}  // namespace loglog
