#include "analysis/report/thin.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace loglog {

std::vector<std::pair<double, double>> thin(std::span<const double> x, std::span<const double> y, std::size_t most) {
    std::vector<std::pair<double, double>> curve;
    if (x.size() <= most) {
        for (std::size_t i = 0; i < x.size(); ++i) { curve.emplace_back(x[i], y[i]); }
        return curve;
    }
    const double first = std::log(x.front());
    const double width = (std::log(x.back()) - first) / static_cast<double>(most);
    double sum = 0;
    std::size_t count = 0;
    double edge = std::exp(first + width);
    std::size_t bin = 1;
    for (std::size_t i = 0; i < x.size(); ++i) {
        if (x[i] > edge && count > 0) {
            curve.emplace_back(x[i - 1], sum / static_cast<double>(count));
            sum = 0;
            count = 0;
            while (x[i] > edge && bin < most) { edge = std::exp(first + width * static_cast<double>(++bin)); }
        }
        sum += y[i];
        ++count;
    }
    curve.emplace_back(x.back(), sum / static_cast<double>(count));
    return curve;
}

double rounded(double value, int digits) {
    if (!std::isfinite(value)) { return value; }
    char text[40];
    std::snprintf(text, sizeof text, "%.*e", digits - 1, value);
    return std::strtod(text, nullptr);
}

}  // namespace loglog
