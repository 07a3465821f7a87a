#pragma once

#include <optional>
#include <span>

namespace loglog {

/// Seconds that something took at a length.
struct TimedLength {
    double length = 0;
    double seconds = 0;
};

/// The exponent p of seconds ~ length^p by least squares in logarithms, over lengths of at least `from`; nothing with
/// fewer than two of them.
std::optional<double> growth_exponent(std::span<const TimedLength> points, double from);

/// The length from which on `points` take less time than `reference` at every length that both have, interpolated in
/// logarithms between the last length at which they do not and the next. The least common length if they always take
/// less; nothing if they do not at the largest. Both ascending in length.
std::optional<double> crossover(std::span<const TimedLength> points, std::span<const TimedLength> reference);

}  // namespace loglog
