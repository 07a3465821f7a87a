#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/fit/optimum.hpp"
#include "analysis/inference/onset.hpp"

namespace loglog {

/// How a fit to the smaller runs predicts the larger ones.
struct HoldOut {
    std::string variable;        ///< "N", "D", "C": whose largest values were held out
    std::vector<double> values;  ///< those values, ascending
    std::size_t n_points = 0;    ///< points held out
    double mean_error_nats = 0;  ///< mean of predicted - measured
    double rms_error_nats = 0;
    double worst_error_nats = 0;    ///< of largest size, with its sign
    double rms_relative_error = 0;  ///< root mean square of ln(predicted/measured)
    double compute_ratio = 1;       ///< the runs did as predicted of so many times their compute (X); NaN: of no amount
    std::optional<Onset> onset;     ///< chosen among the points that were not held out
};

/// Refits without the points whose `variable`-th column is among its `count` largest distinct values, and predicts
/// them. The compute ratio k is where the mean of ln predicted, at N and D times sqrt(k) each (laws of one variable: at
/// k X), is the mean of ln measured. Throws InputError if too few points are left.
HoldOut hold_out_largest(const Law& law, const Points& points, const Objective& objective, std::size_t variable,
                         std::string variable_name, int count, int threads);

/// One part of a cross-validation: a size that was predicted from all others.
struct Fold {
    double low = 0;  ///< smallest and largest value of the variable in it
    double high = 0;
    std::size_t n_points = 0;
    double mean_error_nats = 0;
    double rms_error_nats = 0;
    double rms_relative_error = 0;
    std::string failure;  ///< why it could not be predicted
};

struct CrossValidation {
    std::string variable;
    std::vector<Fold> folds;
    double rms_error_nats = 0;  ///< over all points that were predicted
    double rms_relative_error = 0;
};

/// Leaves out one size at a time (rungs() of the first variable) and predicts it from the others; the ends are
/// extrapolations, the rest interpolations.
CrossValidation leave_one_size_out(const Law& law, const Points& points, const Objective& objective,
                                   const Optimum& optimum, std::string variable_name, int threads);

}  // namespace loglog
