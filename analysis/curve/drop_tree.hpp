#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace loglog {

/// One term of a sum over learning-rate drops, weight * G(rate, sum): several neighbouring steps may share a term.
struct DropTerm {
    double weight;   ///< fall of the rate, rate[k-1] - rate[k]
    double ln_rate;  ///< of the rate after the fall
    double ln_sum;   ///< of the rates since: rate[k] + ... + rate[t]
};

/// Sums over the steps of a schedule of (rate[k-1] - rate[k]) G(rate[k], rate[k] + ... + rate[t]), k = 1 .. t, in
/// O(log t) terms instead of t.
///
/// Steps at which the rate stays are no terms. The others form a binary tree of blocks. A block at least as far from t
/// as it is wide, measured in summed rates, is replaced by its polynomial interpolant at Chebyshev nodes, whose weights
/// do not depend on t (the far field of a fast multipole method; Fong and Darve 2009, doi:10.1016/j.jcp.2009.08.031);
/// the nearest ones are summed as they are. G must be smooth in both arguments; the sum's error is below 1e-5 of
/// sum |rate[k-1] - rate[k]| max |G|.
class DropTree {
  public:
    /// `rates` per step from step 0 on; positive from step 1 on.
    explicit DropTree(std::span<const double> rates);

    /// The terms of the sum up to step `t`.
    std::vector<DropTerm> terms(std::size_t t) const;

    /// Mean of ln rate over the steps at which the rate falls, weighted by the fall; where it never falls, the first
    /// positive rate's logarithm.
    double mean_ln_rate() const noexcept { return mean_ln_rate_; }

  private:
    struct Event {
        std::size_t step;
        double drop;
        double ln_rate;
        double before;  ///< sum of the rates of all steps before
    };
    struct Node {
        double drop;
        double ln_rate;
        double before;
    };
    struct Block {
        std::size_t begin;
        std::size_t end;
        std::vector<Node> nodes;  ///< empty where the block is not smooth, or not worth it
    };

    std::size_t build(std::size_t begin, std::size_t end);
    std::vector<Node> interpolate(std::size_t begin, std::size_t end) const;
    void collect(std::size_t block, std::size_t t, double sum, std::vector<DropTerm>& terms) const;

    std::vector<double> cumulative_;  ///< [steps] sum of the rates up to and with this one
    std::vector<Event> events_;
    std::vector<Block> blocks_;
    std::vector<std::size_t> left_;   ///< [blocks] 0: a leaf (the root is nobody's child)
    std::vector<std::size_t> right_;  ///< [blocks]
    std::size_t root_ = 0;
    double mean_ln_rate_ = 0;
};

}  // namespace loglog
