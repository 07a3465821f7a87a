#include "analysis/isoflop/optima_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/fit/parallel.hpp"
#include "analysis/inference/checks.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t fewest_for_loss = 4;    // budgets for the three parameters of a saturating law
constexpr std::size_t fewest_for_errors = 3;  // budgets for a line that could fail to fit
constexpr double narrowest_range = 10;        // of compute, a factor
constexpr double excess_scatter = 3;          // chi-squared per degree of freedom
constexpr double widest_budget = 1.1;         // largest over smallest compute of one budget's runs
constexpr double farthest_prediction = 1000;  // times the largest budget

using Column = double DrawnOptimum::*;

double number_of(const BudgetOptimum& budget, Column member) {
    if (member == &DrawnOptimum::ln_n) { return std::log(budget.n.value); }
    return std::log(member == &DrawnOptimum::ln_d ? budget.d.value : budget.loss.value);
}

std::vector<double> measured(const Optima& optima, Column member) {
    std::vector<double> y;
    for (const auto& budget : optima.budgets) { y.push_back(number_of(budget, member)); }
    return y;
}

std::vector<double> drawn(const std::vector<DrawnOptimum>& draw, Column member) {
    std::vector<double> y;
    for (const auto& optimum : draw) { y.push_back(optimum.*member); }
    return y;
}

double weight_of(const BudgetOptimum& budget, BudgetWeights weights) {
    return weights == BudgetWeights::equal ? 1.0 : 1.0 / (budget.ln_n_error * budget.ln_n_error);
}

/// The regression of one column, of the optima themselves and of every draw that has two budgets or more.
struct Regression {
    ComputeLine line;
    std::vector<ComputeLine> draws;

    template <class Number>
    Estimate estimate(const Number& number) const {
        std::vector<double> samples;
        for (const ComputeLine& one : draws) { samples.push_back(number(one)); }
        return summarise(number(line), std::move(samples));
    }
};

Regression regress(const OptimaFit& fit, Column member) {
    const Optima& optima = fit.optima;
    Regression result{fit_line(optima, fit.weights, measured(optima, member)), {}};
    for (const auto& draw : optima.draws) {
        result.draws.push_back(fit_line(optima, fit.weights, drawn(draw, member)));
    }
    return result;
}

bool has(const OptimaFit& fit, Column member) {
    return std::all_of(fit.optima.budgets.begin(), fit.optima.budgets.end(), [&](const BudgetOptimum& budget) {
        return !budget.used || std::isfinite(number_of(budget, member));
    });
}

/// Saturating law through the losses of the budgets used; `ln_loss` that is NaN weighs nothing.
Points loss_points(const Optima& optima) {
    std::vector<double> compute, loss;
    for (const auto& budget : optima.budgets) {
        if (!budget.used) { continue; }
        compute.push_back(budget.compute);
        loss.push_back(budget.loss.value);
    }
    const std::span<const double> columns[] = {compute};
    return make_points(columns, loss);
}

struct LossFits {
    OptimumLoss law;
    std::vector<Values> draws;
};

LossFits fit_loss(const OptimaFit& fit, const InferenceOptions& options) {
    const Law& law = find_law("saturating");
    const Points points = loss_points(fit.optima);
    const Optimum optimum = find_optimum(law, points, options.objective, options.bootstrap.threads);
    LossFits fits;
    fits.law.objective = options.objective;
    fits.law.value = optimum.best.value;
    fits.draws.resize(fit.optima.draws.size());
    parallel_for(static_cast<int>(fits.draws.size()), options.bootstrap.threads, [&](int i) {
        Points drawn = points;
        std::size_t point = 0;
        const auto& draw = fit.optima.draws[static_cast<std::size_t>(i)];
        for (std::size_t b = 0; b < draw.size(); ++b) {
            if (!fit.optima.budgets[b].used) { continue; }
            if (std::isnan(draw[b].ln_loss)) {
                drawn.weight[point] = 0;
            } else {
                drawn.ln_loss[point] = draw[b].ln_loss;
                drawn.loss[point] = std::exp(draw[b].ln_loss);
            }
            ++point;
        }
        Minimum best = polish(law, drawn, options.objective, optimum.best.coordinates);
        for (const Values& start : optimum.also_tried) {
            if (const Minimum other = polish(law, drawn, options.objective, start); other.value < best.value) {
                best = other;
            }
        }
        fits.draws[static_cast<std::size_t>(i)] = law.natural(best.coordinates, points.centre);
    });
    const Values natural = law.natural(optimum.best.coordinates, points.centre);
    for (std::size_t k = 0; k < law.parameters().size(); ++k) {
        std::vector<double> samples;
        for (const Values& one : fits.draws) { samples.push_back(one[k]); }
        fits.law.parameters.push_back(
            {std::string{law.parameters()[k].name}, summarise(natural[k], std::move(samples))});
    }
    return fits;
}

Estimate loss_at(const LossFits& fits, double budget) {
    const auto at = [&](double floor, double scale, double alpha) { return floor + std::pow(scale / budget, alpha); };
    std::vector<double> samples;
    for (const Values& one : fits.draws) { samples.push_back(at(one[0], one[1], one[2])); }
    const auto& p = fits.law.parameters;
    return summarise(at(p[0].estimate.value, p[1].estimate.value, p[2].estimate.value), std::move(samples));
}

void set_scatter(OptimaFit& fit, const ComputeLine& line) {
    double chi_squared = 0;
    std::size_t count = 0;
    for (const auto& budget : fit.optima.budgets) {
        if (!budget.used) { continue; }
        const double residual = std::log(budget.n.value) - line(std::log(budget.compute));
        fit.objective_value += weight_of(budget, fit.weights) * residual * residual / 2;
        chi_squared += weight_of(budget, BudgetWeights::error) * residual * residual;
        ++count;
    }
    fit.scatter = count > 2 ? chi_squared / static_cast<double>(count - 2) : nan;
}

void find_caveats(OptimaFit& fit) {
    auto& found = fit.warnings;
    std::size_t used = 0;
    double smallest = std::numeric_limits<double>::infinity();
    double largest = 0;
    for (const auto& budget : fit.optima.budgets) {
        const std::string name = fmt::format("C = {:.3g}", budget.compute);
        if (budget.used) {
            ++used;
            smallest = std::min(smallest, budget.compute);
            largest = std::max(largest, budget.compute);
            if (budget.at_edge) {
                found.push_back({"optimum_at_edge", fmt::format("the optimum of the budget {} is used although it lies "
                                                                "outside its sizes, {:.3g} parameters",
                                                                name, budget.n.value)});
            }
        } else {
            found.push_back({budget.at_edge ? "optimum_at_edge" : "no_optimum",
                             fmt::format("the budget {} is not used: {}", name, budget.left_out)});
        }
        if (budget.compute_spread > widest_budget) {
            found.push_back(
                {"uneven_budget", fmt::format("the runs of {} differ in compute by up to a factor of {:.2f}: "
                                              "what more compute does enters its optimum",
                                              name, budget.compute_spread)});
        }
    }
    if (used < fewest_for_errors) {
        found.push_back({"few_budgets", fmt::format("{} budgets: a line through two cannot fail to fit", used)});
    }
    if (largest < narrowest_range * smallest) {
        found.push_back({"narrow_range", fmt::format("the budgets used span a factor of {:.2f} only; below {:.0f} the "
                                                     "exponents are mostly noise",
                                                     largest / smallest, narrowest_range)});
    }
    if (fit.scatter > excess_scatter) {
        found.push_back({"optima_scatter",
                         fmt::format("the optima scatter around C^a {:.1f} times as much as their errors explain "
                                     "(chi-squared per degree of freedom {:.1f}): the intervals are too narrow, or it "
                                     "is no power law",
                                     std::sqrt(fit.scatter), fit.scatter)});
    }
    for (const auto& one : fit.predictions) {
        const double budget = one.front().estimate.value;
        if (budget > farthest_prediction * largest) {
            found.push_back({"far_extrapolation", fmt::format("{:.3g} FLOPs is {:.0f} times the largest budget used",
                                                              budget, budget / largest)});
        }
    }
    if (fit.draws > 0) { check_draws(fit.draws, found); }
    std::vector<NamedEstimate> estimates = fit.parameters;
    estimates.insert(estimates.end(), fit.derived.begin(), fit.derived.end());
    check_inside(estimates, fit.predictions, found);
    if (fit.noise.source == "assumed") {
        found.push_back({"noise_assumed", fmt::format("the runs do not tell the noise of their losses; {:g} nats were "
                                                      "assumed for the intervals",
                                                      fit.noise.sigma)});
    }
}

void require_two_budgets(const OptimaFit& fit) {
    std::size_t used = 0;
    std::string reasons;
    for (const auto& budget : fit.optima.budgets) {
        used += budget.used;
        if (!budget.used) {
            reasons += fmt::format("\n  C = {:.4g}, {} {}: {}", budget.compute, budget.n_points,
                                   budget.n_points == 1 ? "row" : "rows", budget.left_out);
        }
    }
    if (used >= 2) { return; }
    constexpr std::size_t most_shown = 2000;
    if (reasons.size() > most_shown) { reasons = reasons.substr(0, reasons.rfind('\n', most_shown)) + "\n  ..."; }
    throw InputError{
        fmt::format("{}: {} of {} compute budgets has an optimum inside its sizes; two at least are "
                    "wanted{}",
                    fit.law, used, fit.optima.budgets.size(), reasons)};
}

}  // namespace

BudgetWeights parse_weights(std::string_view text) {
    for (const auto weights : {BudgetWeights::equal, BudgetWeights::error}) {
        if (text == to_text(weights)) { return weights; }
    }
    throw InputError{"--weights '" + std::string{text} + "' must be equal or error"};
}

const char* to_text(BudgetWeights weights) noexcept { return weights == BudgetWeights::equal ? "equal" : "error"; }

ComputeLine fit_line(const Optima& optima, BudgetWeights weights, const std::vector<double>& y) {
    double w0 = 0, wx = 0, wy = 0;
    const auto each = [&](const auto& visit) {
        for (std::size_t b = 0; b < y.size(); ++b) {
            const auto& budget = optima.budgets[b];
            if (!budget.used || std::isnan(y[b])) { continue; }
            visit(weight_of(budget, weights), std::log(budget.compute), y[b]);
        }
    };
    each([&](double w, double x, double value) {
        w0 += w;
        wx += w * x;
        wy += w * value;
    });
    const double centre = wx / w0;
    const double mean = wy / w0;
    double xx = 0, xy = 0;
    each([&](double w, double x, double value) {
        xx += w * (x - centre) * (x - centre);
        xy += w * (x - centre) * (value - mean);
    });
    return xx > 0 ? ComputeLine{centre, mean, xy / xx} : ComputeLine{centre, nan, nan};
}

void fit_optima(OptimaFit& fit, const InferenceOptions& options) {
    require_two_budgets(fit);
    fit.draws = fit.optima.draws.size();
    for (const auto& exclusion : options.excluded) { fit.excluded.push_back(exclusion); }
    for (const auto& warning : options.warnings) { fit.warnings.push_back(warning); }

    const auto exponent = [](const ComputeLine& line) { return line.slope; };
    const auto coefficient = [](const ComputeLine& line) {
        return std::exp(line.intercept - line.slope * line.centre);
    };
    const Regression n = regress(fit, &DrawnOptimum::ln_n);
    fit.parameters.push_back({"a", n.estimate(exponent)});
    fit.derived.push_back({"kN", n.estimate(coefficient)});
    set_scatter(fit, n.line);
    std::optional<Regression> d;
    if (has(fit, &DrawnOptimum::ln_d)) {
        d = regress(fit, &DrawnOptimum::ln_d);
        fit.parameters.push_back({"b", d->estimate(exponent)});
        fit.derived.push_back({"kD", d->estimate(coefficient)});
    }
    const auto used = std::count_if(fit.optima.budgets.begin(), fit.optima.budgets.end(),
                                    [](const BudgetOptimum& budget) { return budget.used; });
    std::optional<LossFits> loss;
    if (has(fit, &DrawnOptimum::ln_loss) && static_cast<std::size_t>(used) >= fewest_for_loss) {
        loss = fit_loss(fit, options);
        fit.loss = loss->law;
    }
    for (const double budget : options.budgets) {
        const double ln_c = std::log(budget);
        const auto at = [&](const ComputeLine& line) { return std::exp(line(ln_c)); };
        std::vector<NamedEstimate> one{{"C", {budget, nan, nan, nan}}, {"N", n.estimate(at)}};
        if (d) {
            one.push_back({"D", d->estimate(at)});
            std::vector<double> ratios;
            for (std::size_t i = 0; i < n.draws.size(); ++i) { ratios.push_back(at(d->draws[i]) / at(n.draws[i])); }
            one.push_back({"tokens_per_parameter", summarise(at(d->line) / at(n.line), std::move(ratios))});
        }
        if (loss) { one.push_back({"loss", loss_at(*loss, budget)}); }
        fit.predictions.push_back(std::move(one));
    }
    find_caveats(fit);
}

}  // namespace loglog
