#pragma once

#include <vector>

#include "analysis/inference/inference.hpp"

// Reasons to doubt a fit, by theme; find_caveats() gathers them. docs/formats.md lists the codes.

namespace loglog {

/// Whether as many points count (weight above 0) as the law has free parameters, or fewer: the curve passes through all
/// of them, every resample that identifies the law is the same set, and nothing tells the noise.
bool has_no_freedom(const Law& law, const Points& points);

/// `few_resamples`: the ends of an interval come of too few draws.
void check_draws(std::size_t draws, std::vector<Warning>& found);

/// `ill_conditioned`; the number may be infinite.
void check_condition(double condition, std::vector<Warning>& found);

/// `outside_interval`: estimates that their own intervals do not hold, in one warning. A prediction begins with its
/// budget.
void check_inside(const std::vector<NamedEstimate>& estimates,
                  const std::vector<std::vector<NamedEstimate>>& predictions, std::vector<Warning>& found);

/// "3.2e+04", and what lies beyond all numbers in words: "over 1e308", "under 1e-308".
std::string ratio_text(double ratio);

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
