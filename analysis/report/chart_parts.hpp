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
/// What names a run: its id, N, D, C and loss, then `more`.
nlohmann::ordered_json run_tooltip(const std::vector<std::array<const char*, 3>>& more = {});
/// Colour by a text field of so many values, with a legend above the chart.
nlohmann::ordered_json series_colour(const std::string& field, const std::vector<std::string>& values,
                                     const std::vector<std::string>& colours, const std::string& title = {});
/// Makes a click on an entry of the legend of `field` keep its series, another click add or drop one: the parameter
/// goes into `owner`, the unit that has the legend, and the filter into it and all of `others`.
void filter_by_legend(const std::string& field, nlohmann::ordered_json& owner,
                      const std::vector<nlohmann::ordered_json*>& others = {});
/// A spec as wide as its place, without data and marks.
nlohmann::ordered_json spec_of(int height);

}  // namespace loglog
