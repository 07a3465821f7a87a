#pragma once

#include <span>
#include <string>
#include <vector>

#include "analysis/curve/curve_form.hpp"

namespace loglog {

struct CurveFit;
struct CurveFitOptions;

/// Schedules that were predicted from all others.
struct FormFold {
    std::vector<std::string> left_out;  ///< names of their curves
    std::size_t n_points = 0;           ///< losses predicted
    std::string failure;                ///< why no form was scored here, else empty
};

/// How one form predicts schedules that it has not seen.
struct FormScore {
    const CurveForm* form = nullptr;
    std::vector<double> fold_error;  ///< [folds] nats, mean over their schedules; NaN where the fold failed
    double score = 0;                ///< nats, mean over the schedules of all usable folds; NaN where none is usable
};

/// The form that predicts best, and what it was chosen by.
struct FormChoice {
    const CurveForm* chosen = nullptr;
    bool is_scored = false;  ///< false: too few folds were usable, so the choice is multi-power's by default
    std::size_t usable_folds = 0;
    std::vector<FormFold> folds;
    std::vector<FormScore> forms;  ///< multi-power, annealing
    std::string note;              ///< in plain words
};

/// Leaves each schedule out in turn (with more than 8: groups of them), fits every form to the others and predicts it.
/// The form whose mean absolute error, averaged over the schedules, is lowest is chosen. Curves of equal rates are one
/// schedule. A fold that a form cannot be fitted without (no rate falls in the others, too few losses) counts for none.
FormChoice choose_form(std::span<const Curve> train, const CurveFitOptions& options);

/// fit_curves() by the form so chosen, which the fit then tells; warned of where it could not be chosen.
CurveFit fit_chosen_form(std::span<const Curve> train, std::span<const Curve> test, CurveFitOptions options);

}  // namespace loglog
