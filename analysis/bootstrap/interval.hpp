#pragma once

#include <string_view>
#include <vector>

namespace loglog {

/// How an interval is read from resampled values.
enum class IntervalKind {
    percentile,  ///< the quantiles themselves (Efron 1979)
    expanded,    ///< quantiles further out, as Student's t is wider than the normal: Hesterberg 2015, "What Teachers
                 ///< Should Know About the Bootstrap", sec. 4.3, with the fit's degrees of freedom in place of n - 1
    bca,         ///< bias-corrected and accelerated, acceleration by the jackknife (Efron 1987)
};

/// Parses "percentile", "expanded", "bca". Throws InputError.
IntervalKind parse_interval_kind(std::string_view text);
const char* to_text(IntervalKind kind) noexcept;

/// A number with its standard error and interval; the last three are NaN where nothing was resampled.
struct Estimate {
    double value;
    double se;
    double low;
    double high;
};

/// The ends of an interval as shares of the sorted resampled values.
struct Tails {
    double low;
    double high;
};

/// Of a percentile interval that covers `level`.
Tails percentile_tails(double level);

/// `units` were resampled (points or groups) and leave `degrees` of freedom: the tail is
/// Phi(-sqrt(units / degrees) t), t the quantile of Student's t with `degrees`.
Tails expanded_tails(double level, double units, double degrees);

/// `left_out` holds the number's values without each unit in turn. Falls back on percentile_tails where every
/// resample lies on one side of the value, fewer than two values were left out, or the acceleration is no number.
Tails bca_tails(double level, double value, const std::vector<double>& samples, const std::vector<double>& left_out);

/// `samples` are the number's values over the resamples. Quantiles interpolate linearly between order statistics.
Estimate summarise(double value, std::vector<double> samples, const Tails& tails);
Estimate summarise(double value, std::vector<double> samples, double coverage = 0.95);

}  // namespace loglog
