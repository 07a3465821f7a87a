#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analysis/fit/dataset.hpp"
#include "analysis/inference/inference.hpp"

namespace loglog {

/// One run's loss as it trained.
struct TrainingCurve {
    std::string run;
    double n = 0;                 ///< parameters
    std::vector<double> compute;  ///< [checkpoints] FLOPs so far
    std::vector<double> tokens;   ///< [checkpoints] tokens so far
    std::vector<double> loss;     ///< [checkpoints] nats per token
};

/// Curves of a table that has a row per checkpoint: columns run (any text), N, loss, and D or C (the other then follows
/// from C = 6ND, which is warned of). Checkpoints may come in any order; those before the first step (D or C of 0) are
/// to be left out by the caller. Throws InputError, also for a run whose rows differ in N.
std::vector<TrainingCurve> curves_of(const Dataset& data, const std::map<std::string, std::string>& mapping,
                                     std::vector<Warning>& warnings);

/// A curve that can be read at any compute between its first and last checkpoint.
class SmoothCurve {
  public:
    /// Every checkpoint becomes the mean of ln C, ln D and ln loss over the checkpoints within `width` / 2 of it in
    /// ln C: on a power law this moves no value. Throws InputError for numbers that are not positive.
    SmoothCurve(const TrainingCurve& curve, double width);

    struct Reading {
        double ln_loss;
        double ln_d;
    };
    /// Linear between checkpoints; nothing outside them.
    std::optional<Reading> at(double ln_c) const;

    double first() const { return ln_c_.front(); }
    double last() const { return ln_c_.back(); }

  private:
    std::vector<double> ln_c_;
    std::vector<double> ln_d_;
    std::vector<double> ln_loss_;
};

}  // namespace loglog
