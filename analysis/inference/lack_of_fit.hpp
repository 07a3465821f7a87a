#pragma once

#include <optional>

#include "analysis/fit/solver.hpp"

namespace loglog {

/// Whether the residuals still hold a smooth trend that the law cannot follow.
struct TrendTest {
    int degrees = 0;  ///< trends that the law's own derivatives do not contain
    double left = 0;  ///< degrees of freedom of the residuals without them
    double f = 0;
    double p = 1;
    double share = 0;  ///< of the residuals' sum of squares that the trends take up
};

/// The residuals are regressed on the law's derivatives (which they are nearly free of at the optimum) and on squares,
/// products and, for laws of one variable, cubes of the logarithms of the variables; F asks whether these help
/// (Gauss-Newton regression, Davidson and MacKinnon 2004, section 6.7; the idea is Ramsey's, 1969). Residuals are
/// clipped at 2.5 robust deviations, so that single points neither cause nor hide a trend. Nothing where too few points
/// are left.
std::optional<TrendTest> test_trend(const Law& law, const Points& points, const Objective& objective,
                                    const Values& coordinates);

/// What repeated runs say of the noise: points of equal variables (to 1e-6) and different losses.
struct SeedNoise {
    int cells = 0;                ///< with two points or more
    int degrees = 0;              ///< points in them, less the cells
    double sd_nats = 0;           ///< pooled over the cells
    double sd_relative = 0;       ///< likewise of ln loss
    double residual_sd_nats = 0;  ///< of the fit, with its degrees of freedom
    double residual_sd_relative = 0;
    double f = 0;  ///< lack of fit against pure error (of ln loss); NaN where there are no degrees of freedom for it
    double p = 1;
};

std::optional<SeedNoise> seed_noise(const Law& law, const Points& points, const Values& coordinates);

}  // namespace loglog
