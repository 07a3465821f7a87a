#pragma once

#include <string>
#include <vector>

#include "analysis/fit/dataset.hpp"
#include "analysis/fit/optimum.hpp"

namespace loglog {

/// From which X on a law of one variable is to be fitted: small runs and early data often lie off the asymptotic law.
struct OnsetRule {
    enum class Kind { none, given, automatic };
    Kind kind = Kind::none;
    double from = 0;  ///< where it is given
};

/// No text: none; "auto"; else a positive number. Throws InputError.
OnsetRule parse_onset(const std::string& text);

/// One onset that was tried.
struct OnsetCandidate {
    std::size_t left_out = 0;  ///< so many of the smallest distinct X
    double from = 0;           ///< the smallest X that stays
    double score = 0;          ///< mean squared error of ln loss in the forecasts
};

/// The onset that a fit has, and how it came about.
struct Onset {
    OnsetRule::Kind kind = OnsetRule::Kind::given;
    std::string variable;                    ///< what X is: "N"
    double from = 0;                         ///< points with X below it are left out
    std::size_t left_out = 0;                ///< distinct X below it
    std::vector<OnsetCandidate> candidates;  ///< automatic: by falling number of points
};

/// The onset whose points forecast best, one step ahead: for each k = 0, 1, ... the k smallest distinct X are left out,
/// and each of the two largest X is predicted from the remaining ones below it alone (rolling origin; Tashman 2000,
/// doi:10.1016/S0169-2070(00)00065-0). The lowest mean squared error of ln loss wins, the smaller k where two are the
/// same to rounding (1e-9 rms). The shortest fit keeps one X more than the law has free parameters.
///
/// Throws InputError where that leaves no two onsets to choose from.
Onset choose_onset(const Law& law, const Points& points, const Objective& objective, const std::string& variable,
                   int threads);

/// The onset that the rule gives for these points. Throws InputError as choose_onset() does, and for a given onset that
/// no point reaches.
Onset find_onset(const OnsetRule& rule, const Law& law, const Points& points, const Objective& objective,
                 const std::string& variable, int threads);

/// The points whose X is below the `count` largest distinct ones: what may be looked at when those are held out. Throws
/// InputError where none is.
Points without_largest(const Points& points, std::size_t count, const std::string& variable);

/// Rows of a table whose number in `column` reaches `from` (to 1e-6).
std::vector<char> reaches_onset(const Dataset& data, std::size_t column, double from);

}  // namespace loglog
