#pragma once

#include <string>
#include <vector>

#include "analysis/fit/solver.hpp"

namespace loglog {

/// A point far off the fitted law. It stays in the fit: what to do about it is for people to say.
struct Outlier {
    std::size_t point = 0;
    std::string id;       ///< "line 12" or a run's id
    double residual = 0;  ///< as the objective takes it: predicted - measured, of logarithms or of losses
    double z = 0;         ///< residual over the robust standard deviation
};

/// Residuals of the fitted points as the objective takes them; 0 where a point has no weight.
std::vector<double> residuals_of(const Law& law, const Points& points, const Objective& objective,
                                 const Values& coordinates);

/// Standard deviation of the residuals by their median absolute deviation. A robust fit meets as many points almost
/// exactly as it has parameters, so that many of the smallest are left out of the median (Hill and Holland 1977,
/// doi:10.2307/2286222). NaN with fewer than three others.
double robust_deviation(const std::vector<double>& residuals, const Points& points, std::size_t parameters);

/// |z| above which a point is reported: among `points` normal residuals one such is seen in 1% of fits. Student's
/// distribution stands for the deviation being estimated; the median absolute deviation is worth .37 of the degrees of
/// freedom (its efficiency).
double outlier_threshold(std::size_t points, std::size_t parameters);

/// Points beyond the threshold, by falling |z|. `ids` may be empty.
std::vector<Outlier> find_outliers(const Law& law, const Points& points, const Objective& objective,
                                   const Values& coordinates, const std::vector<std::string>& ids);

/// "line 12", or "point 3" where there are no names.
std::string name_of(const std::vector<std::string>& ids, std::size_t point);

}  // namespace loglog
