#include "engine/measure/length_trend.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace loglog {

std::optional<double> growth_exponent(std::span<const TimedLength> points, double from) {
    double n = 0;
    double sum_x = 0;
    double sum_y = 0;
    double sum_xx = 0;
    double sum_xy = 0;
    for (const auto& [length, seconds] : points) {
        if (length < from) { continue; }
        const double x = std::log(length);
        const double y = std::log(seconds);
        n += 1;
        sum_x += x;
        sum_y += y;
        sum_xx += x * x;
        sum_xy += x * y;
    }
    const double spread = n * sum_xx - sum_x * sum_x;
    if (n < 2 || spread <= 0) { return std::nullopt; }
    return (n * sum_xy - sum_x * sum_y) / spread;
}

std::optional<double> crossover(std::span<const TimedLength> points, std::span<const TimedLength> reference) {
    struct Ratio {
        double log_length;
        double log_ratio;  // below 0: faster than the reference
    };
    std::vector<Ratio> ratios;
    for (const auto& [length, seconds] : points) {
        const auto same = std::find_if(reference.begin(), reference.end(),
                                       [length = length](const TimedLength& other) { return other.length == length; });
        if (same == reference.end()) { continue; }
        ratios.push_back({std::log(length), std::log(seconds / same->seconds)});
    }
    const auto slower = [](const Ratio& ratio) { return ratio.log_ratio >= 0; };
    const auto last = std::find_if(ratios.rbegin(), ratios.rend(), slower);
    if (ratios.empty() || last == ratios.rbegin()) { return std::nullopt; }
    if (last == ratios.rend()) { return std::exp(ratios.front().log_length); }
    const Ratio& before = *last;
    const Ratio& after = *(last - 1);
    const double share = before.log_ratio / (before.log_ratio - after.log_ratio);
    return std::exp(before.log_length + share * (after.log_length - before.log_length));
}

}  // namespace loglog
