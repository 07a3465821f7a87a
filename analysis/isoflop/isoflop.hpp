#pragma once

#include <map>

#include "analysis/fit/dataset.hpp"
#include "analysis/isoflop/optima_fit.hpp"

namespace loglog {

/// What is asked of runs trained on several compute budgets.
struct IsoflopQuestion {
    std::map<std::string, std::string> mapping;  ///< quantity -> column
    Interpolation interpolation = Interpolation::parabola;
    EdgeOptima edge = EdgeOptima::leave_out;
    std::optional<BudgetWeights> weights;  ///< unless given: equal for parabolas, by error for Akima's optima
    double tolerance = 0.05;               ///< relative difference of C up to which neighbours are of one budget
    std::size_t central_points = 0;        ///< sizes of each budget around its lowest loss; 0: all
    std::optional<double> noise;           ///< standard deviation of a loss, nats; else estimate_noise()
    InferenceOptions inference;            ///< its resamples are the draws
};

/// Approach 2 of Hoffmann et al. 2022, arXiv:2203.15556, sec. 3.2. Without a column D, D is C/(6N); without C, C is
/// 6ND.
///
/// Throws InputError for missing columns, bad cells, and where fewer than two budgets have an optimum.
OptimaFit fit_isoflop(const Dataset& data, IsoflopQuestion question);

/// Whether a table holds optima that were found elsewhere: columns C and N_star (or N_opt, or what is mapped to
/// N_star).
bool has_ready_optima(const Dataset& data, const std::map<std::string, std::string>& mapping);

/// The regressions alone, from a table of optima: columns C, N_star and, where there, N_star_logstd (standard error of
/// ln N_star, which gives the weights and the intervals), D_star, loss_star. Other names: --map.
OptimaFit fit_ready_optima(const Dataset& data, IsoflopQuestion question);

}  // namespace loglog
