#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "experiments/run/evaluation.hpp"

namespace loglog {

/// Collects what ranks find in the windows of an evaluation. There is an entry for each window (and range of
/// positions) and quantity, filled by one rank and zero elsewhere: their sum over ranks is exact, and adding them up
/// in the windows' order gives the same bits in every layout.
class EvaluationSums {
  public:
    EvaluationSums(std::size_t windows, std::size_t context, std::size_t buckets);

    /// Of neighbouring tokens, whole windows.
    struct Found {
        std::span<const std::int32_t> targets;
        std::span<const float> losses;
        std::span<const float> correct;
        std::span<const std::uint8_t> marked;  // or empty
    };
    /// `first`: the first token's place among all windows' tokens.
    void add(std::size_t first, const Found& found);

    /// To be summed over ranks.
    std::span<double> values() noexcept { return values_; }

    struct Wanted {
        bool labelled = false;  ///< accuracies
        bool marked = false;    ///< recall_loss
    };
    Evaluation evaluation(const Wanted& wanted) const;

  private:
    // What there is for each window and range of positions, then for each window alone.
    enum Quantity : std::size_t { loss, labels, correct, marked_loss, marked_labels, quantities };

    std::size_t place(Quantity quantity, std::size_t window, std::size_t bucket) const noexcept;
    double total(Quantity quantity) const;
    double of_bucket(Quantity quantity, std::size_t bucket) const;
    double of_window(Quantity quantity, std::size_t window) const;
    void add_accuracies(Evaluation& evaluation) const;

    std::size_t windows_;
    std::size_t context_;
    std::size_t buckets_;
    std::vector<double> values_;  // [quantity, window, bucket]
};

}  // namespace loglog
