#pragma once

#include <limits>
#include <span>
#include <string>
#include <vector>

#include "analysis/bootstrap/bootstrap.hpp"
#include "analysis/isoflop/valley.hpp"

namespace loglog {

/// Standard deviation of one run's loss, in nats, and where it is known from.
struct LossNoise {
    double sigma = 0;
    std::string source;  ///< "given", "seeds", "residuals" or "assumed"
};

/// What Porian et al. added to the losses of their runs (nats). Used, and warned of, where neither seeds nor a
/// parabola's residuals tell.
inline constexpr double assumed_noise = 0.002;

/// The larger of what runs of equal budget and size say, where there are four or more to spare, and what the residuals
/// of the parabolas say, pooled over the budgets; Akima's curve has no residuals.
LossNoise estimate_noise(std::span<const Valley> valleys, Interpolation interpolation);

/// The best size of one budget.
struct BudgetOptimum {
    double compute = 0;         ///< FLOPs
    double compute_spread = 1;  ///< largest over smallest of its runs
    std::size_t n_points = 0;
    Estimate n{};                                                  ///< parameters
    Estimate d{};                                                  ///< tokens
    Estimate loss{};                                               ///< nats per token
    double ln_n_error = std::numeric_limits<double>::quiet_NaN();  ///< standard error of ln N, for weights
    double curvature = std::numeric_limits<double>::quiet_NaN();   ///< of the loss in ln N, nats
    bool at_edge = false;
    bool used = false;
    std::string left_out;  ///< why it is not used
};

/// One budget's optimum in one draw; NaN where the draw has none.
struct DrawnOptimum {
    double ln_n;
    double ln_d;
    double ln_loss;
};

/// Optima of several budgets, ascending in compute, and the draws that say how sure they are.
struct Optima {
    std::vector<BudgetOptimum> budgets;
    std::vector<std::vector<DrawnOptimum>> draws;  ///< [draws][budgets]
};

/// Finds each valley's minimum, then again with normal noise added to every loss, `options.resamples` times.
///
/// A budget is used if its own minimum and at least half of the draws' lie inside its sizes (or EdgeOptima::keep).
/// ln_n_error is the standard deviation over these draws, divided by the share of them. With Akima's interpolation the
/// optimum is the median of the draws' and the error at least a third of the mean spacing of the sizes: Porian et al.
/// 2024, app. C and their published code.
Optima find_optima(std::span<const Valley> valleys, Interpolation interpolation, EdgeOptima edge, double noise,
                   const BootstrapOptions& options);

}  // namespace loglog
