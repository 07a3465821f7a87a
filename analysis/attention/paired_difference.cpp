#include "analysis/attention/paired_difference.hpp"

#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>

namespace loglog {

Estimate mean_difference(std::span<const double> differences) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    if (differences.empty()) { return {nan, nan, nan, nan}; }
    const double n = static_cast<double>(differences.size());
    double mean = 0;
    for (const double d : differences) { mean += d / n; }
    if (differences.size() < 2) { return {mean, nan, nan, nan}; }
    double squares = 0;
    for (const double d : differences) { squares += (d - mean) * (d - mean); }
    const double se = std::sqrt(squares / (n - 1) / n);
    const double reach = boost::math::quantile(boost::math::students_t{n - 1}, 0.975) * se;
    return {mean, se, mean - reach, mean + reach};
}

}  // namespace loglog
