#pragma once

#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace loglog {

/// The extent of a logarithmic axis.
struct Range {
    double low = std::numeric_limits<double>::infinity();
    double high = 0;

    /// Widens the range; what has no place on a logarithmic axis is ignored.
    void include(double value);
};

/// Round numbers on a logarithmic axis: decades where there are three or more, else 1, 2, 5, else finer.
std::vector<double> log_ticks(const Range& range);

/// Encodings and specs as Vega-Lite JSON.
enum class AxisNumbers { prefixed, exponential };
nlohmann::ordered_json log_axis(const std::string& field, const std::string& title, const Range& range,
                                AxisNumbers numbers);
nlohmann::ordered_json loss_axis(const std::string& title);
/// Fields, their titles, and a number format or nothing.
nlohmann::ordered_json tooltip(const std::vector<std::array<const char*, 3>>& fields);
/// A spec as wide as its place, without data and marks.
nlohmann::ordered_json spec_of(int height);

}  // namespace loglog
