#pragma once

#include <vector>

#include "analysis/inference/inference.hpp"

// Reasons to doubt a fit, by theme; find_caveats() gathers them. docs/formats.md lists the codes.

namespace loglog {

/// Throws InputError where the points lie so near to one line in (ln N, ln D) that moving them onto it fits the losses
/// as well: then nothing but the law's form says which of its terms is N's and which is D's. On an exact ray the two
/// terms may even change places.
void require_separable(const Law& law, const Points& points, const Objective& objective, const Optimum& optimum);

/// Number, range and correlation of the variables.
void check_design(const Inference& fit, std::vector<Warning>& found);

/// Outliers, noise that depends on size, tails too heavy for the objective.
void check_residuals(const Inference& fit, std::vector<Warning>& found);

/// Losses and sizes that look like another unit, rows that repeat.
void check_plausibility(const Inference& fit, std::vector<Warning>& found);

/// What other laws, counts and choices say against this fit.
void check_examination(const Inference& fit, std::vector<Warning>& found);

}  // namespace loglog
