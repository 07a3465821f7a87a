#pragma once

#include <span>
#include <string>
#include <vector>

#include "analysis/inference/inference.hpp"

namespace loglog {

/// A run that could be trained next.
struct CandidateRun {
    std::vector<double> x;  ///< of the law's variables, such as N and D
    double flops = 0;       ///< what training it costs
};

/// The number whose interval is to shrink.
struct AdviceTarget {
    std::string name;   ///< a parameter or derived number of the law; or, of its prediction for `budget`, N, D or loss
    double budget = 0;  ///< FLOPs of the prediction; 0: a parameter or derived number is meant
};

struct AdvisedRun {
    std::size_t candidate = 0;
    double se = 0;  ///< expected standard error of the target once this run and those before it are trained
};

/// The runs advised, that which gains most per FLOP first, and what they are expected to bring.
struct Advice {
    double value = 0;           ///< of the target
    bool is_logarithm = false;  ///< errors are those of ln value, for numbers that can only be positive
    double se_before = 0;       ///< asymptotic standard error
    double flops = 0;           ///< of all advised runs
    std::vector<AdvisedRun> runs;

    double se_after() const { return runs.empty() ? se_before : runs.back().se; }
};

/// Chooses at most `most_runs` of the candidates, each once, that cost at most `budget` FLOPs together and leave the
/// target with the least expected variance c^T (M + sum g g^T)^-1 c: M the information of the points fitted, g and c
/// the gradients of a run's residual and of the target (a c-optimal design: Elfving 1952, "Optimum allocation in linear
/// regression theory"). A greedy choice by gain per FLOP is improved by exchanges (Fedorov 1972, "Theory of Optimal
/// Experiments", ch. 3); runs that bring less than 1% are dropped. New runs are taken to be as noisy as those fitted,
/// and the law to hold where they are.
///
/// Throws InputError for a target that the law has not or the data cannot tell, for a fit without noise to scale by,
/// and for a budget below the cheapest candidate.
Advice advise(const Inference& inference, const AdviceTarget& target, std::span<const CandidateRun> candidates,
              double budget, std::size_t most_runs);

/// Names that AdviceTarget can have for this law: parameters and derived numbers, then those that need a budget.
std::vector<std::string> advice_targets(const Law& law);

}  // namespace loglog
