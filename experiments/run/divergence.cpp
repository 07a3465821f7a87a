#include "experiments/run/divergence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace loglog {
namespace {

/// The sign of a NaN is noise.
std::string spell(double value) { return std::isnan(value) ? "nan" : fmt::format("{}", value); }

}  // namespace

std::optional<std::string> DivergenceRule::observe(std::int64_t step, double loss, double gradient_norm) {
    if (!std::isfinite(loss)) { return fmt::format("loss is {} at step {}", spell(loss), step); }
    if (!std::isfinite(gradient_norm)) {
        return fmt::format("gradient norm is {} at step {}", spell(gradient_norm), step);
    }

    recent_[count_ % window] = loss;
    ++count_;
    if (count_ < window) { return std::nullopt; }

    // Summed afresh: a running sum would carry rounding from step to step.
    const double mean = std::accumulate(recent_.begin(), recent_.end(), 0.0) / window;
    lowest_mean_ = count_ == window ? mean : std::min(lowest_mean_, mean);
    if (mean > lowest_mean_ + margin) {
        return fmt::format("mean loss of the last {} steps is {:.4g} at step {}, {:.3g} nats above its lowest, {:.4g}",
                           window, mean, step, mean - lowest_mean_, lowest_mean_);
    }
    return std::nullopt;
}

}  // namespace loglog
