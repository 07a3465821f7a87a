#include "analysis/inference/inference.hpp"

#include "analysis/inference/checks.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

/// The estimates of a family of numbers, `evaluate(natural parameters)` giving one list of named values.
template <class Evaluate>
std::vector<NamedEstimate> estimates(const Inference& inference, const Evaluate& evaluate) {
    const std::vector<NamedValue> values = evaluate(inference.natural);
    const auto columns = [&](const std::vector<Values>& fits) {
        std::vector<std::vector<double>> samples(values.size());
        for (const Values& natural : fits) {
            const std::vector<NamedValue> resampled = evaluate(natural);
            for (std::size_t k = 0; k < samples.size(); ++k) { samples[k].push_back(resampled[k].value); }
        }
        return samples;
    };
    auto samples = columns(inference.resamples.natural);
    const auto left_out = columns(inference.resamples.left_out);
    std::vector<NamedEstimate> named;
    for (std::size_t k = 0; k < values.size(); ++k) {
        named.push_back({std::string{values[k].name},
                         inference.resamples.estimate(values[k].value, std::move(samples[k]), left_out[k])});
    }
    return named;
}

/// What was given, not estimated, has no error, with resamples or without.
void mark_fixed(Inference& inference) {
    const auto specs = inference.law->parameters();
    for (std::size_t k = 0; k < specs.size(); ++k) {
        const double value = specs[k].hold.value;
        if (specs[k].hold.kind == Hold::Kind::fixed) { inference.parameters[k].estimate = {value, 0, value, value}; }
    }
}

/// The values of `place` in the order of the law's variables.
std::vector<double> in_order(const Inference& inference, const VariableValues& place) {
    const std::size_t count = inference.points.variables;
    std::vector<double> x;
    std::string wanted;
    for (std::size_t k = 0; k < count; ++k) {
        const std::string name = variable_name(inference, k);
        wanted += (k == 0 ? "" : ",") + name + "=NUMBER";
        if (const auto found = place.find(name); found != place.end()) { x.push_back(found->second); }
    }
    if (x.size() == count && place.size() == count) { return x; }
    std::string found;
    for (const auto& [name, value] : place) { found += (found.empty() ? "" : ", ") + name; }
    throw InputError{"--at must be " + wanted + " for the law '" + std::string{inference.law->name()} +
                     "', but it gives " + found};
}

}  // namespace

const Estimate& Inference::estimate(std::string_view name) const {
    for (const auto* family : {&parameters, &derived}) {
        for (const auto& named : *family) {
            if (named.name == name) { return named.estimate; }
        }
    }
    throw Error{"the law '" + std::string{law->name()} + "' has no parameter '" + std::string{name} + "'"};
}

std::string variable_name(const Inference& inference, std::size_t variable) {
    return inference.points.variables == 1 ? inference.variable : std::string{inference.law->variables()[variable]};
}

Inference infer(const Law& law, const Points& points, const InferenceOptions& options) {
    if (!options.departures.empty()) { require_frontier(law); }
    Inference inference;
    inference.law = &law;
    inference.objective = options.objective;
    inference.variable = options.variable;
    inference.points = points;
    inference.excluded = options.excluded;
    inference.ids = options.ids;
    inference.seeds = options.seeds;
    inference.optimum = find_optimum(law, points, options.objective, options.bootstrap.threads);
    require_separable(law, points, options.objective, inference.optimum);
    const Values& best = inference.optimum.best.coordinates;
    inference.condition = condition_number(law, points, options.objective, best);
    inference.natural = law.natural(best, points.centre);
    inference.outliers = find_outliers(law, points, options.objective, best, options.ids);
    BootstrapOptions drawn = options.bootstrap;
    if (has_no_freedom(law, points)) { drawn.resamples = 0; }
    inference.resamples = bootstrap(law, points, options.objective, inference.optimum, drawn);
    inference.parameters = estimates(inference, [&](const Values& natural) {
        std::vector<NamedValue> values;
        for (std::size_t k = 0; k < law.parameters().size(); ++k) {
            values.push_back({law.parameters()[k].name, natural[k]});
        }
        return values;
    });
    mark_fixed(inference);
    inference.derived = estimates(inference, [&](const Values& natural) { return law.derived(natural); });
    inference.profiles = profile_intervals(law, points, options.objective, inference.optimum, options.bootstrap.level,
                                           options.bootstrap.threads);
    inference.covariance = parameter_covariance(law, points, options.objective, inference.optimum, inference.resamples);
    std::vector<std::string> variable_names;
    for (std::size_t k = 0; k < points.variables; ++k) { variable_names.push_back(variable_name(inference, k)); }
    for (const VariableValues& place : options.places) {
        const std::vector<double> x = in_order(inference, place);
        inference.places.push_back(estimates(inference, [&](const Values& natural) {
            std::vector<NamedValue> values;
            for (std::size_t k = 0; k < x.size(); ++k) { values.push_back({variable_names[k], x[k]}); }
            values.push_back({law.measured(), predict_at(law, natural, x)});
            return values;
        }));
    }
    for (const double budget : options.budgets) {
        inference.predictions.push_back(predict(inference, budget));
        for (const Departure& departure : options.departures) {
            inference.departures.push_back({departure, estimates(inference, [&](const Values& natural) {
                                                return cost(law, natural, budget, departure);
                                            })});
        }
    }
    inference.warnings = options.warnings;
    if (inference.profiles.found_lower) {
        inference.warnings.push_back({"lower_optimum",
                                      "a refit with one parameter held ended below the optimum that the "
                                      "search found: the parameters may belong to another one"});
    }
    for (Warning& caveat : find_caveats(inference)) { inference.warnings.push_back(std::move(caveat)); }
    return inference;
}

std::vector<NamedEstimate> predict(const Inference& inference, double budget) {
    return estimates(inference, [&](const Values& natural) { return inference.law->predict(natural, budget); });
}

}  // namespace loglog
