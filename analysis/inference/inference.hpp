#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analysis/bootstrap/bootstrap.hpp"
#include "analysis/frontier/departure.hpp"
#include "analysis/inference/covariance.hpp"
#include "analysis/inference/examination.hpp"
#include "analysis/inference/outliers.hpp"
#include "analysis/inference/profile.hpp"
#include "analysis/inference/seed_effects.hpp"

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

/// Variables of a law and their values: {"N", 1e9}, {"D", 2e10}.
using VariableValues = std::map<std::string, double>;

struct InferenceOptions {
    Objective objective;
    BootstrapOptions bootstrap;
    std::vector<double> budgets;           ///< what to predict for: FLOPs, or X for laws of one variable
    std::string variable = "X";            ///< the column that X stands for: "N", "D" or "C"
    std::vector<Exclusion> excluded;       ///< carried into the result
    std::vector<Warning> warnings;         ///< likewise, before those found here
    std::vector<std::string> ids{};        ///< of the points, for messages: "line 12", a run's id; may be empty
    std::vector<VariableValues> places{};  ///< where the loss is asked for
    std::vector<Departure> departures{};   ///< whose cost is asked for at every budget; laws of N and D alone
    std::optional<SeedEffects> seeds{};    ///< where repeated rows were averaged; carried into the result
};

/// What a departure from the compute optimum costs at one budget; see cost().
struct DepartureCost {
    Departure departure;
    std::vector<NamedEstimate> values;
};

/// A fitted law with its intervals and caveats: everything `fit --json` prints.
struct Inference {
    const Law* law = nullptr;
    std::shared_ptr<const Law> chosen;  ///< keeps `law` alive where it was made for this fit (choose_law)
    Objective objective;
    std::string variable;
    Points points;
    Optimum optimum;
    double condition = 0;  ///< see condition_number()
    Values natural{};
    Resamples resamples;
    Profiles profiles;
    ParameterCovariance covariance;
    std::vector<NamedEstimate> parameters;
    std::vector<NamedEstimate> derived;
    std::vector<std::vector<NamedEstimate>> predictions;
    std::vector<std::vector<NamedEstimate>> places;  ///< the law's variables as asked for, then what it predicts there
    std::vector<DepartureCost> departures;
    std::optional<Onset> onset;  ///< where one was asked for
    std::optional<HoldOut> hold_out;
    Examination examination;
    std::optional<SeedEffects> seeds;  ///< where repeated rows were averaged
    std::vector<std::string> ids;      ///< of the points; may be empty
    std::vector<Outlier> outliers;     ///< they are fitted all the same
    std::vector<Exclusion> excluded;
    std::vector<Warning> warnings;

    /// The parameter or derived number of this name; throws Error if there is none.
    const Estimate& estimate(std::string_view name) const;
};

/// The variable's name: that of InferenceOptions for laws of one, else the law's own.
std::string variable_name(const Inference& inference, std::size_t variable);

/// Searches the optimum, bootstraps it and looks for reasons to doubt it. Throws InputError where the law cannot be
/// identified at all (see find_optimum and require_separable).
Inference infer(const Law& law, const Points& points, const InferenceOptions& options);

/// What the law says at `budget` (Law::predict), each number with its interval.
std::vector<NamedEstimate> predict(const Inference& inference, double budget);

/// Caveats that the data and the finished fit give rise to.
std::vector<Warning> find_caveats(const Inference& inference);

/// The JSON object documented in docs/formats.md.
std::string to_json(const Inference& inference);

/// A table for people.
std::string to_text(const Inference& inference);

}  // namespace loglog
