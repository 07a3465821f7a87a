#pragma once

#include <string>
#include <vector>

#include "analysis/fit/optimum.hpp"

namespace loglog {

/// Which side of a profile never rises far enough to end an interval.
enum class OpenSide { none, low, high, both };

/// "low", "high", "both"; nothing for `none`.
const char* to_text(OpenSide side) noexcept;

/// A parameter's profile-likelihood interval. An open side is at the parameter's own limit where it has one (a floor E
/// cannot be below 0), else NaN.
struct ProfileInterval {
    std::string name;
    double low;
    double high;
    OpenSide open = OpenSide::none;
};

struct Profiles {
    std::vector<ProfileInterval> intervals;  ///< one a parameter; empty where no noise is left to judge by
    /// Whether a refit found an objective below the optimum's: the search had missed it.
    bool found_lower = false;
};

/// Profile intervals of every parameter: the values at which the objective, minimised over all other parameters, rises
/// by no more than scale * t^2 / 2, with t the quantile of Student's t for the degrees of freedom and the scale as
/// robust_scale(). For least squares this is the exact likelihood ratio with estimated variance (Bates and Watts 1988,
/// "Nonlinear Regression Analysis", sec. 6.1); for robust penalties the test of Schrader and Hettmansperger 1980,
/// "Robust analysis of variance based upon a likelihood ratio criterion".
///
/// Ends are found by refits with the parameter held, each from the last one's end, and a bracketed secant search. An
/// absolute penalty is rounded off at a hundredth of the noise. Where points are grouped, the rise is scaled by what
/// the groups add to the parameter's variance, and t has as many degrees of freedom as there are groups, less one.
Profiles profile_intervals(const Law& law, const Points& points, const Objective& objective, const Optimum& optimum,
                           double level, int threads);

}  // namespace loglog
