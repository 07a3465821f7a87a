#pragma once

#include <span>
#include <utility>
#include <vector>

namespace loglog {

/// A curve of at most `most` points: bins evenly spaced in ln x, each the mean of its y at its last x. Curves that are
/// short enough come back unchanged. x ascending and positive.
std::vector<std::pair<double, double>> thin(std::span<const double> x, std::span<const double> y, std::size_t most);

/// To `digits` significant decimal digits.
double rounded(double value, int digits);

}  // namespace loglog
