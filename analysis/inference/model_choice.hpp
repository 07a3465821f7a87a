#pragma once

#include <memory>
#include <string>
#include <vector>

#include "analysis/fit/optimum.hpp"
#include "analysis/inference/lack_of_fit.hpp"
#include "analysis/inference/likelihood.hpp"

namespace loglog {

/// How another law relates to the fitted one.
enum class Nesting {
    none,              ///< neither contains the other
    larger,            ///< it contains the fitted law
    smaller,           ///< the fitted law contains it
    at_bound,          ///< likewise, with a parameter of the fitted law at its bound
    extends_at_bound,  ///< it contains the fitted law with a parameter at its bound
};

struct Rival {
    std::string name;
    std::shared_ptr<const Law> law;
    Nesting nesting = Nesting::none;
};

/// One law's score on the same points by the same objective.
struct LawScore {
    std::string law;
    bool is_fitted = false;  ///< the law asked for
    int parameters = 0;      ///< free ones
    double value = 0;        ///< of the objective
    double log_likelihood = 0;
    double aicc = 0;
    double delta_aicc = 0;  ///< above the lowest of all
    Nesting nesting = Nesting::none;
    std::optional<NestedComparison> test;  ///< of the fitted law against this one, where nested
    std::string failure;                   ///< why there is no score
};

/// How well the law stands: beside others, against its residuals' trend, against what repeated runs differ by.
struct ModelChoice {
    std::vector<LawScore> laws;  ///< the fitted one first
    std::optional<TrendTest> trend;
    std::optional<SeedNoise> noise;
};

/// The laws that a fit is naturally compared with: those of the same variables and the same measured quantity that
/// people would have taken instead, and the law without (or with) its simplest restriction.
std::vector<Rival> natural_rivals(const Law& law);

/// A rival by name. Throws InputError where it is not a law of the same variables and quantity.
Rival rival_named(const Law& law, const std::string& name);

ModelChoice choose_model(const Law& law, const Points& points, const Objective& objective, const Optimum& optimum,
                         const std::vector<Rival>& rivals, int threads);

}  // namespace loglog
