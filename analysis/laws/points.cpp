#include "analysis/laws/points.hpp"

#include <cmath>
#include <string>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

void require_positive(double value, const char* what, std::size_t point) {
    if (!(value > 0) || !std::isfinite(value)) {
        throw InputError{"point " + std::to_string(point + 1) + ": " + what + " is " + std::to_string(value) +
                         " but must be positive and finite"};
    }
}

}  // namespace

double Points::x(std::size_t point, std::size_t variable) const {
    return std::exp(ln_x[point][variable] + centre[variable]);
}

Points make_points(std::span<const std::span<const double>> columns, std::span<const double> loss) {
    Points points;
    points.variables = columns.size();
    points.ln_x.resize(loss.size());
    points.loss.assign(loss.begin(), loss.end());
    points.weight.assign(loss.size(), 1.0);
    for (std::size_t i = 0; i < loss.size(); ++i) {
        require_positive(loss[i], "the loss", i);
        points.ln_loss.push_back(std::log(loss[i]));
    }
    for (std::size_t variable = 0; variable < columns.size(); ++variable) {
        const auto column = columns[variable];
        if (column.size() != loss.size()) {
            throw InputError{"a column has " + std::to_string(column.size()) + " values but the losses are " +
                             std::to_string(loss.size())};
        }
        double sum = 0;
        for (std::size_t i = 0; i < column.size(); ++i) {
            require_positive(column[i], "a variable", i);
            points.ln_x[i][variable] = std::log(column[i]);
            sum += points.ln_x[i][variable];
        }
        const double centre = column.empty() ? 0.0 : sum / static_cast<double>(column.size());
        for (auto& row : points.ln_x) { row[variable] -= centre; }
        points.centre[variable] = centre;
    }
    return points;
}

}  // namespace loglog
