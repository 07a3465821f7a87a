#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/attention/run_groups.hpp"

namespace loglog {

/// The losses of one learning rate.
struct RatePoint {
    double lr = 0;
    std::optional<double> loss;  ///< mean final validation loss of the finished runs; nothing where none finished
    int runs = 0;
    int failed = 0;  ///< of them, those that diverged or failed
};

/// How loss depends on the learning rate at one size.
struct RateCurve {
    std::string size;               ///< ComparedSize::name()
    std::vector<RatePoint> points;  ///< ascending in lr
    std::optional<double> best;     ///< the rate of least loss
    bool bracketed = false;         ///< a rate was tried on either side of the best
    double largest_step = 0;        ///< largest factor between neighbouring rates
};

/// What was spent on choosing a variant's learning rate, and what came of it.
struct Tuning {
    std::vector<RateCurve> search;
    std::vector<RateCurve> recheck;
    int runs = 0;
    double tokens = 0;
    double flops = 0;
    std::optional<double> chosen;          ///< the learning rate of the compared runs, if it is one
    std::optional<double> recheck_excess;  ///< largest relative loss given up by `chosen` at a re-check's size
    bool recheck_agrees = false;           ///< the excess is below what a seed changes (0.3%)
};

Tuning tuning_of(const std::vector<ComparedRun>& runs, const VariantGroup& variant);

}  // namespace loglog
