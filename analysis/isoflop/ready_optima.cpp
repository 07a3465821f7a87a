#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "analysis/fit/dataset.hpp"
#include "analysis/isoflop/isoflop.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// The usual names of what a table of optima holds, the first being that of the quantity.
std::vector<std::string> usual_names(const std::string& quantity) {
    if (quantity == "N_star") { return {"N_star", "N_opt"}; }
    if (quantity == "D_star") { return {"D_star", "D_opt"}; }
    if (quantity == "loss_star") { return {"loss_star", "loss_opt"}; }
    return {quantity};
}

std::map<std::string, std::string> with_usual_names(const Dataset& data, std::map<std::string, std::string> mapping) {
    for (const std::string quantity : {"N_star", "D_star", "loss_star"}) {
        if (mapping.contains(quantity)) { continue; }
        for (const auto& name : usual_names(quantity)) {
            if (has_column(data, name, {})) {
                mapping[quantity] = name;
                break;
            }
        }
    }
    return mapping;
}

/// The column, or nothing where the table has none and none was asked for.
std::vector<double> optional_column(const Dataset& data, const std::string& quantity,
                                    const std::map<std::string, std::string>& mapping) {
    if (!mapping.contains(quantity) && !has_column(data, quantity, mapping)) { return {}; }
    return positive_columns(data, {find_column(data, quantity, mapping)}).front();
}

Estimate with_error(double value, double ln_error) {
    if (std::isnan(ln_error)) { return {value, nan, nan, nan}; }
    constexpr double two_sided = 1.959963984540054;  // 97.5% point of the normal distribution
    return {value, value * ln_error, value * std::exp(-two_sided * ln_error), value * std::exp(two_sided * ln_error)};
}

}  // namespace

bool has_ready_optima(const Dataset& data, const std::map<std::string, std::string>& mapping) {
    return with_usual_names(data, mapping).contains("N_star");
}

OptimaFit fit_ready_optima(const Dataset& data, IsoflopQuestion question) {
    InferenceOptions options = std::move(question.inference);
    const auto mapping = with_usual_names(data, question.mapping);
    const auto numbers =
        positive_columns(data, {find_column(data, "C", mapping), find_column(data, "N_star", mapping)});
    const auto n_errors = optional_column(data, "N_star_logstd", mapping);
    const auto d = optional_column(data, "D_star", mapping);
    const auto d_errors = optional_column(data, "D_star_logstd", mapping);
    const auto loss = optional_column(data, "loss_star", mapping);
    const auto loss_errors = optional_column(data, "loss_star_logstd", mapping);
    const auto at = [](const std::vector<double>& column, std::size_t row) {
        return column.empty() ? nan : column[row];
    };

    OptimaFit fit;
    fit.law = "isoflop";
    fit.method = "ready optima (columns C and " + mapping.at("N_star") + ")";
    fit.n_points = data.rows.size();
    fit.noise = {nan, "given"};
    fit.weights = question.weights.value_or(n_errors.empty() ? BudgetWeights::equal : BudgetWeights::error);
    if (fit.weights == BudgetWeights::error && n_errors.empty()) {
        find_column(data, "N_star_logstd", mapping);  // throws: says what is missing and what is there
    }
    std::vector<std::size_t> order(data.rows.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t i, std::size_t j) { return numbers[0][i] < numbers[0][j]; });
    for (const std::size_t row : order) {
        BudgetOptimum optimum;
        optimum.compute = numbers[0][row];
        optimum.n_points = 1;
        optimum.ln_n_error = at(n_errors, row);
        optimum.n = with_error(numbers[1][row], optimum.ln_n_error);
        optimum.d = with_error(at(d, row), at(d_errors, row));
        optimum.loss = with_error(at(loss, row), at(loss_errors, row));
        optimum.used = true;
        fit.optima.budgets.push_back(optimum);
    }
    if (!n_errors.empty()) {
        // D moves against N along a budget, by as much as its own error says (or N's).
        for (int i = 0; i < options.bootstrap.resamples; ++i) {
            const Random random{options.bootstrap.seed, Stream::resampling, static_cast<std::uint64_t>(i)};
            std::vector<DrawnOptimum> draw;
            for (std::size_t b = 0; b < order.size(); ++b) {
                const auto& budget = fit.optima.budgets[b];
                const double step = random.normal(2 * b);
                const double d_error = d_errors.empty() ? budget.ln_n_error : d_errors[order[b]];
                const double loss_error = loss_errors.empty() ? 0.0 : loss_errors[order[b]];
                draw.push_back({std::log(budget.n.value) + budget.ln_n_error * step,
                                std::log(budget.d.value) - d_error * step,
                                std::log(budget.loss.value) + loss_error * random.normal(2 * b + 1)});
            }
            fit.optima.draws.push_back(std::move(draw));
        }
    }
    fit_optima(fit, options);
    return fit;
}

}  // namespace loglog
