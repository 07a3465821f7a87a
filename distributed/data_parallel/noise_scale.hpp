#pragma once

#include <optional>

#include "distributed/data_parallel/gradient_exchange.hpp"

namespace loglog {

/// The simple gradient noise scale, trace of the gradient's covariance over its squared norm, in the unit that batches
/// are counted in: near it, twice the batch is worth less than twice the steps (McCandlish et al. 2018,
/// arXiv:1812.06162, appendix A.1).
///
/// Both parts are averaged over steps by themselves before they are divided: a mean of ratios is biased. Single steps
/// may say that the squared norm is negative, which is kept.
class NoiseScale {
  public:
    /// A step's squared norms of gradients of small batches (their mean) and of the large one, both means over their
    /// batch. Steps that are not finite, or that have one batch only, are left out.
    void observe(double small_batch_square, double large_batch_square, double small_batch, double large_batch);
    /// `batch`: size of the global batch.
    void observe(const StepTotals& totals, double batch);

    /// Nothing before the first step and while the squared norm is not positive.
    std::optional<double> value() const noexcept;

  private:
    double covariance_trace_ = 0;
    double squared_norm_ = 0;
    bool begun_ = false;
};

}  // namespace loglog
