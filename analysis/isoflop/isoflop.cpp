#include "analysis/isoflop/isoflop.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/isoflop/surface_bias.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr double worth_saying = 0.01;  // relative bias of N_opt that is warned of
constexpr double least_noise = 1e-12;  // nats: what is less is the rounding of exact losses

struct Columns {
    std::vector<double> n, d, c, loss;
};

/// N, D, C and loss of every row; what is missing of D and C follows from the other two by C = 6ND.
Columns read_columns(const Dataset& data, const IsoflopQuestion& question, std::vector<Warning>& warnings) {
    const auto& mapping = question.mapping;
    const bool has_d = has_column(data, "D", mapping);
    const bool has_c = has_column(data, "C", mapping);
    std::vector<std::size_t> positions{find_column(data, "N", mapping), find_column(data, "loss", mapping)};
    if (has_d || !has_c) { positions.push_back(find_column(data, "D", mapping)); }
    if (has_c || !has_d) { positions.push_back(find_column(data, "C", mapping)); }
    const auto numbers = positive_columns(data, positions);
    Columns columns{numbers[0], {}, {}, numbers[1]};
    if (has_d && has_c) {
        columns.d = numbers[2];
        columns.c = numbers[3];
        return columns;
    }
    warnings.push_back({"assumed_6nd", has_c ? "no column D: D = C/(6N) was taken" : "no column C: C = 6ND was taken"});
    (has_c ? columns.c : columns.d) = numbers[2];
    for (std::size_t i = 0; i < columns.n.size(); ++i) {
        if (has_c) {
            columns.d.push_back(columns.c[i] / (6 * columns.n[i]));
        } else {
            columns.c.push_back(6 * columns.n[i] * columns.d[i]);
        }
    }
    return columns;
}

std::string describe(const IsoflopQuestion& question) {
    std::string text = question.interpolation == Interpolation::akima      ? "Akima's interpolation of ln loss in ln N"
                       : question.interpolation == Interpolation::parabola ? "a parabola of loss in ln N"
                                                                           : "a parabola of ln loss in ln N";
    if (question.central_points > 0) {
        text += fmt::format(", of the {} sizes around the lowest loss", question.central_points);
    }
    return text + " per budget";
}

void compare_with_surface(OptimaFit& fit, std::span<const Valley> valleys, const IsoflopQuestion& question,
                          const InferenceOptions& options) {
    try {
        fit.surface = surface_bias(valleys, fit.optima, question.interpolation, fit.weights, options);
    } catch (const InputError& error) {
        fit.warnings.push_back(
            {"no_surface",
             std::string{"the method's own bias is not known, no surface could be fitted: "} + error.what()});
        return;
    }
    const SurfaceBias& bias = *fit.surface;
    double worst = 0;
    for (const auto* list : {&bias.bias_n, &bias.bias_n_predictions}) {
        for (const double value : *list) {
            if (std::abs(value) > std::abs(worst)) { worst = value; }
        }
    }
    if (std::abs(worst) < worth_saying) { return; }
    fit.warnings.push_back(
        {"interpolation_bias",
         fmt::format(
             "on the losses of a surface E + A/N^alpha + B/D^beta fitted to the same runs, without noise, this "
             "method's N_opt is off by up to {:+.1f}% and its a by {:+.4f} (surface: {:.4f}): the sizes are not "
             "centred on the optimum or reach far from it",
             100 * worst, bias.bias_a, bias.a)});
}

}  // namespace

OptimaFit fit_isoflop(const Dataset& data, IsoflopQuestion question) {
    InferenceOptions options = std::move(question.inference);
    const Columns columns = read_columns(data, question, options.warnings);
    std::vector<Valley> valleys = group_by_budget(columns.n, columns.d, columns.c, columns.loss, question.tolerance);
    for (Valley& valley : valleys) { valley = central_part(valley, question.central_points); }

    OptimaFit fit;
    fit.law = "isoflop";
    fit.method = describe(question);
    fit.noise = question.noise ? LossNoise{*question.noise, "given"} : estimate_noise(valleys, question.interpolation);
    if (fit.noise.sigma < least_noise && options.bootstrap.resamples > 0) {
        options.bootstrap.resamples = 0;
        options.warnings.push_back(
            {"no_noise", fmt::format("the losses have no noise (sigma {:.1g}, {}): there is nothing to draw, so no "
                                     "interval is given",
                                     fit.noise.sigma, fit.noise.source)});
    }
    const bool by_error = question.interpolation == Interpolation::akima && options.bootstrap.resamples > 0;
    fit.weights = question.weights.value_or(by_error ? BudgetWeights::error : BudgetWeights::equal);
    if (fit.weights == BudgetWeights::error && options.bootstrap.resamples < 2) {
        throw InputError{
            "isoflop: --weights error wants draws of noise (--bootstrap 2 or more, and losses with noise)"};
    }
    fit.optima = find_optima(valleys, question.interpolation, question.edge, fit.noise.sigma, options.bootstrap);
    for (const auto& budget : fit.optima.budgets) { fit.n_points += budget.n_points; }
    fit_optima(fit, options);
    compare_with_surface(fit, valleys, question, options);
    return fit;
}

}  // namespace loglog
