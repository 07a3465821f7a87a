#pragma once

#include <vector>

#include "analysis/attention/family_fit.hpp"
#include "analysis/bootstrap/bootstrap.hpp"

namespace loglog {

/// Refits of resampled losses.
struct FamilyResamples {
    int requested = 0;
    double degrees = 0;           ///< of freedom left to estimate the noise of a variant; below 1 nothing was resampled
    std::vector<FamilyFit> fits;  ///< those that were possible, in order of the resample
};

/// Resamples (size, seed) pairs jointly over all variants and refits the family.
///
/// A row holds the residuals of all variants at one (size, seed). A resample gives each row of the design the residuals
/// of a row drawn with replacement, all variants the same one, so that what a seed does to all of them stays shared and
/// cancels in multipliers. Rows of residuals are resampled instead of the runs themselves because a ladder has few: of
/// 3 sizes x 2 seeds, one resample in four of the runs lacks a size altogether, and the exponent fitted to the other
/// two answers to the draw. At a fixed design every refit is well posed, and lack of fit counts as noise.
///
/// Two corrections for few rows, without which 95% intervals of six rows hold the truth in fewer than 90%: residuals
/// are scaled up by sqrt(rows / degrees), for what the fit took (Davison and Hinkley 1997, sec. 6.2), and each resample
/// by sqrt(degrees / chi-squared(degrees)), for the noise itself being estimated, as Student's t does.
FamilyResamples resample_rows(const std::vector<LossPoint>& points, int rows, const FamilyFit& fit,
                              const BootstrapOptions& options);

}  // namespace loglog
