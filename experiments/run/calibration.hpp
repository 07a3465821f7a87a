#pragma once

#include <span>
#include <utility>
#include <vector>

#include "experiments/run/estimate.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog {

/// A resolved spec and what it costs.
struct CostedSpec {
    RunSpec spec;
    RunCost cost;
};

/// How fast this machine trains models of some sizes now: a few real steps on random tokens of some of them.
class Calibration {
  public:
    /// Measures distinct models among `runs`, the smallest and largest first, until `seconds` are spent; a
    /// model whose step takes longer than that by itself is left out. `threads` a run.
    Calibration(std::span<const CostedSpec> runs, int threads, double seconds = 2.0);

    /// Model FLOP/s of a run of this cost, interpolated between the measured sizes in the logarithm of FLOPs per token;
    /// 0 if nothing could be measured.
    double flops_per_second(const RunCost& cost) const;

  private:
    std::vector<std::pair<double, double>> points_;  // log FLOPs per token, FLOP/s; sorted
};

}  // namespace loglog
