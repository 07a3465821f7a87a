#include "analysis/isoflop/akima.hpp"

#include <algorithm>
#include <cmath>

#include "engine/base/error.hpp"

namespace loglog {

Akima::Akima(std::vector<double> x, std::vector<double> y) : x_{std::move(x)}, y_{std::move(y)}, slope_(x_.size()) {
    if (x_.size() < 2 || x_.size() != y_.size()) { throw Error{"Akima: at least two points are wanted"}; }
    if (std::adjacent_find(x_.begin(), x_.end(), std::greater_equal<>{}) != x_.end()) {
        throw Error{"Akima: x must ascend strictly"};
    }
    // Slopes of the chords, with two more on either side that continue their last two linearly: chord[i + 2] is that
    // from point i to i + 1.
    const auto n = x_.size();
    std::vector<double> chord(n + 3);
    for (std::size_t i = 0; i + 1 < n; ++i) { chord[i + 2] = (y_[i + 1] - y_[i]) / (x_[i + 1] - x_[i]); }
    const double second = n > 2 ? chord[3] : chord[2];
    const double last_but_one = n > 2 ? chord[n - 1] : chord[2];
    chord[1] = 2 * chord[2] - second;
    chord[0] = 2 * chord[1] - chord[2];
    chord[n + 1] = 2 * chord[n] - last_but_one;
    chord[n + 2] = 2 * chord[n + 1] - chord[n];
    for (std::size_t i = 0; i < n; ++i) {
        const double after = std::abs(chord[i + 3] - chord[i + 2]);
        const double before = std::abs(chord[i + 1] - chord[i]);
        slope_[i] = after + before > 0 ? (after * chord[i + 1] + before * chord[i + 2]) / (after + before)
                                       : (chord[i + 1] + chord[i + 2]) / 2;
    }
}

double Akima::operator()(double at) const {
    const auto above = std::upper_bound(x_.begin() + 1, x_.end() - 1, at);
    const auto i = static_cast<std::size_t>(above - x_.begin()) - 1;
    const double width = x_[i + 1] - x_[i];
    const double chord = (y_[i + 1] - y_[i]) / width;
    const double t = at - x_[i];
    const double second = (3 * chord - 2 * slope_[i] - slope_[i + 1]) / width;
    const double third = (slope_[i] + slope_[i + 1] - 2 * chord) / (width * width);
    return y_[i] + t * (slope_[i] + t * (second + t * third));
}

}  // namespace loglog
