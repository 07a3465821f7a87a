#include "analysis/inference/model_choice.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/fit/parallel.hpp"
#include "analysis/inference/refit.hpp"
#include "analysis/laws/law_choice.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

bool has_parameter(const Law& law, std::string_view name) {
    return std::any_of(law.parameters().begin(), law.parameters().end(),
                       [&](const ParameterSpec& spec) { return spec.name == name; });
}

bool is_all_free(const Law& law) { return free_parameters(law) == law.parameters().size(); }

Rival plain(const std::string& name, Nesting nesting) { return {name, choose_law(name, {}), nesting}; }

void score(LawScore& into, double value, std::size_t parameters, const Objective& objective, double n) {
    into.parameters = static_cast<int>(parameters);
    into.value = value;
    into.log_likelihood = log_likelihood(objective, value, n);
    into.aicc = corrected_aic(into.log_likelihood, n, static_cast<double>(parameters));
}

std::optional<NestedComparison> compare(const LawScore& fitted, const LawScore& other, double n) {
    switch (other.nesting) {
        case Nesting::none:
            return std::nullopt;
        case Nesting::larger:
        case Nesting::extends_at_bound:
            return compare_nested(fitted.log_likelihood, other.log_likelihood, n, fitted.parameters, other.parameters,
                                  other.nesting == Nesting::extends_at_bound);
        case Nesting::smaller:
        case Nesting::at_bound:
            return compare_nested(other.log_likelihood, fitted.log_likelihood, n, other.parameters, fitted.parameters,
                                  other.nesting == Nesting::at_bound);
    }
    return std::nullopt;
}

LawScore score_of(const Rival& rival, const Points& points, const Objective& objective, double n) {
    LawScore scored;
    scored.law = rival.name;
    scored.nesting = rival.nesting;
    const Refit fit = refit(rival.name, *rival.law, points, objective, {});
    scored.parameters = static_cast<int>(free_parameters(*rival.law));
    scored.failure = fit.failure;
    if (!scored.failure.empty()) { return scored; }
    score(scored, fit.value, free_parameters(*rival.law), objective, n);
    if (!std::isfinite(scored.aicc)) { scored.failure = "too few points to compare laws"; }
    return scored;
}

}  // namespace

std::vector<Rival> natural_rivals(const Law& law) {
    const std::string name{law.name()};
    std::vector<Rival> rivals;
    if (!is_all_free(law)) { rivals.push_back({name + ", nothing held", choose_law(name, {}), Nesting::larger}); }
    if (name == "power") {
        rivals.push_back(plain("saturating", Nesting::extends_at_bound));
        rivals.push_back(plain("broken", Nesting::none));
    } else if (name == "saturating") {
        rivals.push_back(plain("power", is_all_free(law) ? Nesting::at_bound : Nesting::none));
        rivals.push_back(plain("broken", Nesting::none));
    } else if (name == "broken") {
        rivals.push_back(plain("power", Nesting::none));
        rivals.push_back(plain("saturating", Nesting::none));
    } else if (name == "chinchilla") {
        if (is_all_free(law) && !has_parameter(law, "gamma")) {
            LawChoice tied;
            tied.tied["beta"] = "alpha";
            rivals.push_back({"chinchilla, beta = alpha", choose_law(name, tied), Nesting::smaller});
            LawChoice sum;
            sum.gamma = true;
            rivals.push_back({"chinchilla with gamma", choose_law(name, sum), Nesting::larger});
        }
        if (has_parameter(law, "gamma")) { rivals.push_back(plain("chinchilla", Nesting::smaller)); }
        rivals.push_back(plain("kaplan", Nesting::none));
    } else if (name == "kaplan" || name == "data-constrained") {
        rivals.push_back(plain("chinchilla", Nesting::none));
    }
    return rivals;
}

Rival rival_named(const Law& law, const std::string& name) {
    for (const Rival& rival : natural_rivals(law)) {
        if (rival.name == name) { return rival; }
    }
    Rival rival = plain(name, Nesting::none);
    const auto wanted = law.variables();
    const auto found = rival.law->variables();
    const bool same = found.size() <= wanted.size() && std::equal(found.begin(), found.end(), wanted.begin());
    if (!same || rival.law->measured() != law.measured()) {
        throw InputError{"--against " + name + ": it is no law of the same variables as '" + std::string{law.name()} +
                         "', so that they cannot be compared on the same points"};
    }
    return rival;
}

ModelChoice choose_model(const Law& law, const Points& points, const Objective& objective, const Optimum& optimum,
                         const std::vector<Rival>& rivals, int threads) {
    const auto n = static_cast<double>(
        std::count_if(points.weight.begin(), points.weight.end(), [](double weight) { return weight > 0; }));
    ModelChoice choice;
    choice.laws.resize(rivals.size() + 1);
    LawScore& fitted = choice.laws.front();
    fitted.law = std::string{law.name()};
    fitted.is_fitted = true;
    score(fitted, optimum.best.value, free_parameters(law), objective, n);
    if (!std::isfinite(fitted.aicc)) { fitted.failure = "too few points to compare laws"; }
    parallel_for(static_cast<int>(rivals.size()), threads, [&](int i) {
        choice.laws[static_cast<std::size_t>(i) + 1] =
            score_of(rivals[static_cast<std::size_t>(i)], points, objective, n);
    });
    double lowest = std::numeric_limits<double>::infinity();
    for (const auto& one : choice.laws) {
        if (one.failure.empty()) { lowest = std::min(lowest, one.aicc); }
    }
    for (auto& one : choice.laws) {
        one.delta_aicc = one.aicc - lowest;
        if (!one.is_fitted && one.failure.empty()) { one.test = compare(fitted, one, n); }
    }
    choice.trend = test_trend(law, points, objective, optimum.best.coordinates);
    choice.noise = seed_noise(law, points, optimum.best.coordinates);
    return choice;
}

}  // namespace loglog
