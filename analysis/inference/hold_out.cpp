#include "analysis/inference/hold_out.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "analysis/fit/parallel.hpp"
#include "analysis/fit/rounded.hpp"
#include "analysis/inference/refit.hpp"
#include "analysis/inference/sensitivity.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

/// The chosen points as a set of their own, measured from their own middle.
Points subset(const Points& points, const std::vector<std::size_t>& chosen) {
    std::vector<std::vector<double>> columns(points.variables);
    std::vector<double> loss;
    for (const std::size_t i : chosen) {
        for (std::size_t variable = 0; variable < points.variables; ++variable) {
            columns[variable].push_back(points.x(i, variable));
        }
        loss.push_back(points.loss[i]);
    }
    const std::vector<std::span<const double>> spans(columns.begin(), columns.end());
    Points set = make_points(spans, loss);
    for (std::size_t k = 0; k < chosen.size(); ++k) { set.weight[k] = points.weight[chosen[k]]; }
    return set;
}

/// Errors of predictions of the points `held`; coordinates belong to points of the same centre.
struct Errors {
    double mean_nats = 0;
    double rms_nats = 0;
    double worst_nats = 0;
    double mean_relative = 0;
    double rms_relative = 0;
};

template <class Predict>
Errors errors_of(const Points& points, const std::vector<std::size_t>& held, const Predict& ln_predicted) {
    Errors errors;
    const auto n = static_cast<double>(held.size());
    for (const std::size_t i : held) {
        const double ln_loss = ln_predicted(i);
        const double error = std::exp(ln_loss) - points.loss[i];
        const double relative = ln_loss - points.ln_loss[i];
        errors.mean_nats += error / n;
        errors.rms_nats += error * error / n;
        errors.mean_relative += relative / n;
        errors.rms_relative += relative * relative / n;
        if (std::abs(error) > std::abs(errors.worst_nats)) { errors.worst_nats = error; }
    }
    errors.rms_nats = std::sqrt(errors.rms_nats);
    errors.rms_relative = std::sqrt(errors.rms_relative);
    return errors;
}

/// The k at which `mean_error(ln k)`, which falls, is zero; NaN where it is nowhere within e^-40 to e^40.
template <class MeanError>
double compute_ratio(const MeanError& mean_error) {
    double low = -40;
    double high = 40;
    if (!(mean_error(low) > 0) || !(mean_error(high) < 0)) { return std::numeric_limits<double>::quiet_NaN(); }
    while (high - low > 1e-10) {
        const double middle = (low + high) / 2;
        (mean_error(middle) > 0 ? low : high) = middle;
    }
    return std::exp((low + high) / 2);
}

}  // namespace

HoldOut hold_out_largest(const Law& law, const Points& points, const Objective& objective, std::size_t variable,
                         std::string variable_name, int count, int threads) {
    std::set<double, std::greater<>> distinct;
    for (const auto& row : points.ln_x) { distinct.insert(row[variable]); }
    if (count < 1 || static_cast<std::size_t>(count) >= distinct.size()) {
        throw InputError{"--hold-out: " + std::to_string(count) + " of " + std::to_string(distinct.size()) +
                         " distinct values of " + variable_name + " cannot be held out: at least one must remain"};
    }
    const double smallest_held = *std::next(distinct.begin(), count - 1);
    std::vector<std::size_t> kept;
    std::vector<std::size_t> held;
    for (std::size_t i = 0; i < points.size(); ++i) {
        (points.ln_x[i][variable] < smallest_held ? kept : held).push_back(i);
    }
    const Points fitted = subset(points, kept);
    const Optimum optimum = find_optimum(law, fitted, objective, threads);

    // A budget of k times the compute goes to N and D alike, and to one variable as a whole.
    const double share = points.variables == 1 ? 1.0 : 0.5;
    const std::size_t scaled = std::min<std::size_t>(points.variables, 2);
    const auto ln_predicted_at = [&](std::size_t i, double ln_k) {
        std::array<double, max_variables> row{};
        for (std::size_t k = 0; k < points.variables; ++k) {
            row[k] = points.ln_x[i][k] + points.centre[k] - fitted.centre[k] + (k < scaled ? share * ln_k : 0);
        }
        return law.log_loss(optimum.best.coordinates, row);
    };
    const auto errors_at = [&](double ln_k) {
        return errors_of(points, held, [&](std::size_t i) { return ln_predicted_at(i, ln_k); });
    };
    const Errors errors = errors_at(0);

    HoldOut result;
    result.variable = std::move(variable_name);
    std::set<double> values;
    for (const std::size_t i : held) { values.insert(rounded(points.x(i, variable))); }
    result.values.assign(values.begin(), values.end());
    result.n_points = held.size();
    result.mean_error_nats = errors.mean_nats;
    result.rms_error_nats = errors.rms_nats;
    result.worst_error_nats = errors.worst_nats;
    result.rms_relative_error = errors.rms_relative;
    result.compute_ratio = compute_ratio([&](double ln_k) { return errors_at(ln_k).mean_relative; });
    return result;
}

CrossValidation leave_one_size_out(const Law& law, const Points& points, const Objective& objective,
                                   const Optimum& optimum, std::string variable_name, int threads) {
    const auto sizes = rungs(points, 0);
    CrossValidation result;
    result.variable = std::move(variable_name);
    result.folds.resize(sizes.size());
    const auto near = endings(optimum);
    parallel_for(static_cast<int>(sizes.size()), threads, [&](int f) {
        const auto& held = sizes[static_cast<std::size_t>(f)];
        Fold& fold = result.folds[static_cast<std::size_t>(f)];
        fold.low = points.x(held.front(), 0);
        fold.high = points.x(held.back(), 0);
        fold.n_points = held.size();
        const Refit fit = refit({}, law, without(points, held), objective, near);
        fold.failure = fit.failure;
        if (!fold.failure.empty()) { return; }
        const Errors errors =
            errors_of(points, held, [&](std::size_t i) { return law.log_loss(fit.coordinates, points.ln_x[i]); });
        fold.mean_error_nats = errors.mean_nats;
        fold.rms_error_nats = errors.rms_nats;
        fold.rms_relative_error = errors.rms_relative;
    });
    double n = 0;
    for (const Fold& fold : result.folds) {
        if (!fold.failure.empty()) { continue; }
        const auto count = static_cast<double>(fold.n_points);
        n += count;
        result.rms_error_nats += count * fold.rms_error_nats * fold.rms_error_nats;
        result.rms_relative_error += count * fold.rms_relative_error * fold.rms_relative_error;
    }
    result.rms_error_nats = std::sqrt(result.rms_error_nats / n);
    result.rms_relative_error = std::sqrt(result.rms_relative_error / n);
    return result;
}

}  // namespace loglog
