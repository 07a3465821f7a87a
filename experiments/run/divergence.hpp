#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace loglog {

/// Decides when a run has diverged: its loss or gradient norm is not finite, or the mean loss of the last `window`
/// steps lies more than `margin` nats above the lowest such mean so far. Feeding it the same losses gives the same
/// decision, so a resumed run replays its journal through it.
class DivergenceRule {
  public:
    static constexpr std::size_t window = 20;
    static constexpr double margin = 1.5;  ///< nats per token; step noise of small batches stays below 0.5

    /// The reason if the run has diverged at this step, in words.
    std::optional<std::string> observe(std::int64_t step, double loss, double gradient_norm);

  private:
    std::array<double, window> recent_{};
    std::size_t count_ = 0;
    double lowest_mean_ = 0;
};

}  // namespace loglog
