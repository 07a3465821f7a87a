#pragma once

#include <vector>

#include "analysis/inference/robust_scale.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/laws/objective.hpp"

namespace loglog {

/// What the fitted points say about the coordinates that they could move.
struct FitInformation {
    std::vector<std::size_t> free;            ///< coordinates neither held nor at a bound
    std::vector<std::vector<double>> matrix;  ///< [free][free] sum over points of w g g^T, g a residual's gradient
    double threshold = 0;                     ///< of the penalty that the scale is of
    RobustScale scale{1, 0};                  ///< of the noise; no variance: too few points to tell

    /// Variance of the coordinates per unit of the matrix' inverse; 0: not known.
    double spread() const noexcept { return scale.spread(); }
};

/// The matrix is that of Gauss and Newton.
FitInformation fit_information(const Law& law, const Points& points, const Objective& objective,
                               const Values& coordinates);

}  // namespace loglog
