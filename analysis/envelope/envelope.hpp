#pragma once

#include <span>

#include "analysis/envelope/training_curve.hpp"
#include "analysis/isoflop/optima_fit.hpp"

namespace loglog {

struct EnvelopeQuestion {
    std::size_t bins = 100;      ///< places in compute, evenly spaced in ln C between the first and last checkpoint
    double smoothing = 0.1;      ///< width in ln C over which a run's loss is averaged
    InferenceOptions inference;  ///< its resamples draw runs
};

/// Approach 1 of Hoffmann et al. 2022, arXiv:2203.15556, sec. 3.1: at each compute the run of lowest loss; its size and
/// tokens as power laws of compute. A place counts where smaller and larger models than the best were trained that far.
/// Intervals: whole runs are drawn with replacement, since the checkpoints of one run are not independent.
///
/// Throws InputError for fewer than three sizes and where fewer than two places count.
OptimaFit fit_envelope(std::span<const TrainingCurve> curves, EnvelopeQuestion question);

}  // namespace loglog
