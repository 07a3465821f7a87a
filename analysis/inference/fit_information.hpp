#pragma once

#include <vector>

#include "analysis/laws/law.hpp"
#include "analysis/laws/objective.hpp"

namespace loglog {

/// What the fitted points say about the coordinates that they could move.
struct FitInformation {
    std::vector<std::size_t> free;            ///< coordinates neither held nor at a bound
    std::vector<std::vector<double>> matrix;  ///< [free][free] sum over points of w g g^T, g a residual's gradient
    double spread = 0;  ///< variance of the coordinates per unit of the matrix' inverse; 0: too few points to tell
};

/// The matrix is that of Gauss and Newton; the spread is RobustScale::spread().
FitInformation fit_information(const Law& law, const Points& points, const Objective& objective,
                               const Values& coordinates);

}  // namespace loglog
