#include "distributed/data_parallel/noise_scale.hpp"

#include <cmath>

namespace loglog {

void NoiseScale::observe(double small_batch_square, double large_batch_square, double small_batch, double large_batch) {
    if (!(small_batch < large_batch)) { return; }
    const double squared_norm =
        (large_batch * large_batch_square - small_batch * small_batch_square) / (large_batch - small_batch);
    const double trace = (small_batch_square - large_batch_square) / (1 / small_batch - 1 / large_batch);
    if (!std::isfinite(squared_norm) || !std::isfinite(trace)) { return; }
    constexpr double decay = 0.99;
    const double weight = begun_ ? 1 - decay : 1;
    covariance_trace_ += weight * (trace - covariance_trace_);
    squared_norm_ += weight * (squared_norm - squared_norm_);
    begun_ = true;
}

void NoiseScale::observe(const StepTotals& totals, double batch) {
    observe(totals.small_batch_square, totals.large_batch_square, batch / totals.small_batches, batch);
}

std::optional<double> NoiseScale::value() const noexcept {
    if (!begun_ || !(squared_norm_ > 0)) { return std::nullopt; }
    return covariance_trace_ / squared_norm_;
}

}  // namespace loglog
