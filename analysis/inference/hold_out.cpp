#include <algorithm>
#include <cmath>
#include <set>

#include "analysis/inference/inference.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

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
    return make_points(spans, loss);
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

    HoldOut result;
    result.variable = std::move(variable_name);
    std::set<double> values;
    for (const std::size_t i : held) {
        values.insert(points.x(i, variable));
        std::array<double, max_variables> row{};
        for (std::size_t k = 0; k < points.variables; ++k) {
            row[k] = points.ln_x[i][k] + points.centre[k] - fitted.centre[k];
        }
        const double ln_predicted = law.log_loss(optimum.best.coordinates, row);
        const double error = std::exp(ln_predicted) - points.loss[i];
        const double relative = ln_predicted - points.ln_loss[i];
        result.mean_error_nats += error;
        result.rms_error_nats += error * error;
        result.rms_relative_error += relative * relative;
        if (std::abs(error) > std::abs(result.worst_error_nats)) { result.worst_error_nats = error; }
    }
    const auto n = static_cast<double>(held.size());
    result.values.assign(values.begin(), values.end());
    result.n_points = held.size();
    result.mean_error_nats /= n;
    result.rms_error_nats = std::sqrt(result.rms_error_nats / n);
    result.rms_relative_error = std::sqrt(result.rms_relative_error / n);
    return result;
}

}  // namespace loglog
