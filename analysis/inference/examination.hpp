#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "analysis/inference/conventions.hpp"
#include "analysis/inference/hold_out.hpp"
#include "analysis/inference/model_choice.hpp"
#include "analysis/inference/sensitivity.hpp"

namespace loglog {

struct Question;

/// Which questions beyond the fit itself are asked; each costs refits.
struct ExaminationOptions {
    bool laws = false;                 ///< other laws on the same points, lack of fit, seed noise
    std::vector<std::string> against;  ///< laws to compare with besides the natural rivals
    bool conventions = false;          ///< other counts of N, D and C that the table holds
    bool sensitivity = false;          ///< other objectives, points and counts
    /// Part of the sensitivity: other ways to the law's numbers, each with its name or the reason why there is none.
    std::function<std::vector<Refit>(const Dataset&, const Question&, const Law&)> approaches;
    bool cross_validation = false;    ///< one size at a time left out
    std::optional<Dataset> all_rows;  ///< the table before a --where that left out a few rows
};

/// What came of them.
struct Examination {
    std::optional<ModelChoice> laws;
    std::vector<ConventionFit> conventions;
    std::optional<Sensitivity> sensitivity;
    std::optional<CrossValidation> cross_validation;
};

}  // namespace loglog
