#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/bootstrap/bootstrap.hpp"

namespace loglog {

/// A caveat with a stable code that scripts may look for; docs/formats.md lists the codes.
struct Warning {
    std::string code;
    std::string text;
};

struct NamedEstimate {
    std::string name;
    Estimate estimate;
};

/// A point that was left out of a fit, and why.
struct Exclusion {
    std::string id;
    std::string reason;
};

/// How a fit to the smaller runs predicts the larger ones.
struct HoldOut {
    std::string variable;        ///< "N", "D", "C": whose largest values were held out
    std::vector<double> values;  ///< those values, ascending
    std::size_t n_points = 0;    ///< points held out
    double mean_error_nats = 0;  ///< mean of predicted - measured
    double rms_error_nats = 0;
    double worst_error_nats = 0;    ///< of largest size, with its sign
    double rms_relative_error = 0;  ///< root mean square of ln(predicted/measured)
};

struct InferenceOptions {
    Objective objective;
    BootstrapOptions bootstrap;
    std::vector<double> budgets;      ///< what to predict for: FLOPs, or X for laws of one variable
    std::string variable = "X";       ///< the column that X stands for: "N", "D" or "C"
    std::vector<Exclusion> excluded;  ///< carried into the result
    std::vector<Warning> warnings;    ///< likewise, before those found here
};

/// A fitted law with its intervals and caveats: everything `fit --json` prints.
struct Inference {
    const Law* law = nullptr;
    Objective objective;
    std::string variable;
    Points points;
    Optimum optimum;
    double condition = 0;  ///< see condition_number()
    Values natural{};
    Resamples resamples;
    std::vector<NamedEstimate> parameters;
    std::vector<NamedEstimate> derived;
    std::vector<std::vector<NamedEstimate>> predictions;
    std::optional<HoldOut> hold_out;
    std::vector<Exclusion> excluded;
    std::vector<Warning> warnings;

    /// The parameter or derived number of this name; throws Error if there is none.
    const Estimate& estimate(std::string_view name) const;
};

/// Searches the optimum, bootstraps it and looks for reasons to doubt it. Throws InputError where the law cannot be
/// identified at all (see find_optimum).
Inference infer(const Law& law, const Points& points, const InferenceOptions& options);

/// What the law says at `budget` (Law::predict), each number with its interval.
std::vector<NamedEstimate> predict(const Inference& inference, double budget);

/// Refits without the points whose `variable`-th column is among its `count` largest distinct values, and predicts
/// them. Throws InputError if too few points are left.
HoldOut hold_out_largest(const Law& law, const Points& points, const Objective& objective, std::size_t variable,
                         std::string variable_name, int count, int threads);

/// Caveats that the data and the finished fit give rise to.
std::vector<Warning> find_caveats(const Inference& inference);

/// The JSON object documented in docs/formats.md.
std::string to_json(const Inference& inference);

/// A table for people.
std::string to_text(const Inference& inference);

}  // namespace loglog
