#pragma once

#include <map>
#include <string>
#include <vector>

#include "analysis/curve/curve.hpp"
#include "analysis/curve/rate_steps.hpp"
#include "analysis/fit/dataset.hpp"
#include "analysis/inference/inference.hpp"

namespace loglog {

/// A run's log as it was found: rates, losses, and which losses are to be fitted.
struct LoggedCurve {
    struct Loss {
        std::size_t step;
        double loss;
        bool train;
    };
    std::string name;
    std::vector<LoggedRate> rates;  ///< steps increase
    std::vector<Loss> losses;       ///< likewise
};

/// Curves ready to be fitted, scored and predicted.
struct CurveSet {
    std::vector<Curve> train;
    std::vector<Curve> test;
    std::vector<Curve> unmeasured;  ///< schedules without any loss, to be predicted at their logged steps
    std::vector<Exclusion> excluded;
    std::vector<Warning> warnings;
};

struct CurveRowOptions {
    std::map<std::string, std::string> mapping;  ///< quantity -> column: schedule (or run), step, lr, loss
    std::string train;                           ///< SQL over the rows; empty: all are fitted
};

/// The logs in a table with a column that names the schedule or run, and step, lr and loss; a row without a loss tells
/// the learning rate alone. Throws InputError that lists every bad cell with its row.
std::vector<LoggedCurve> logged_curves(const Dataset& data, const CurveRowOptions& options);

/// Fills in the learning rates between the logged steps and leaves out the losses of the warm-up.
/// `warmup_steps`: see rate_steps(); 0: not known.
CurveSet curve_set(std::span<const LoggedCurve> logs, std::size_t warmup_steps);

}  // namespace loglog
