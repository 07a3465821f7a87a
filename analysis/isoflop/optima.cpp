#include "analysis/isoflop/optima.hpp"

#include <algorithm>
#include <cmath>

#include "analysis/fit/parallel.hpp"

namespace loglog {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double fewest_seed_freedoms = 4;
constexpr double least_spacing_share = 0.33;  // of the mean spacing of sizes: no optimum is known better

/// A sum of squares and what it is divided by.
struct Pool {
    double squares = 0;
    double freedoms = 0;

    double deviation() const { return freedoms > 0 ? std::sqrt(squares / freedoms) : 0.0; }
};

double median(std::vector<double> values) {
    if (values.empty()) { return nan; }
    std::sort(values.begin(), values.end());
    const auto half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::vector<DrawnOptimum> draw(std::span<const Valley> valleys, Interpolation interpolation, EdgeOptima edge,
                               double noise, const Random& random) {
    std::vector<DrawnOptimum> optima;
    std::uint64_t index = 0;
    for (const Valley& valley : valleys) {
        std::vector<double> loss = valley.loss;
        for (std::size_t i = 0; i < loss.size(); ++i) {
            loss[i] += noise / std::sqrt(valley.seeds[i]) * random.normal(index++);
        }
        const ValleyMinimum lowest = minimum(valley, loss, interpolation);
        const bool found = lowest.usable(edge);
        optima.push_back(found ? DrawnOptimum{lowest.ln_n, ln_nd_at(valley, lowest.ln_n) - lowest.ln_n, lowest.ln_loss}
                               : DrawnOptimum{nan, nan, nan});
    }
    return optima;
}

/// exp of a draw's numbers, without the draws that have none.
std::vector<double> natural(const Optima& optima, std::size_t budget, double DrawnOptimum::*member) {
    std::vector<double> values;
    for (const auto& one : optima.draws) {
        if (!std::isnan(one[budget].ln_n)) { values.push_back(std::exp(one[budget].*member)); }
    }
    return values;
}

void set_errors(BudgetOptimum& optimum, const Optima& optima, std::size_t budget, const Valley& valley,
                Interpolation interpolation) {
    const auto sizes = natural(optima, budget, &DrawnOptimum::ln_n);
    const auto drawn = static_cast<double>(optima.draws.size());
    const auto found = static_cast<double>(sizes.size());
    if (2 * found < drawn) {
        optimum.at_edge = true;
        optimum.left_out = "in most draws of noise the optimum lies outside the sizes";
        return;
    }
    double mean = 0, squares = 0;
    for (const double size : sizes) { mean += std::log(size) / found; }
    for (const double size : sizes) { squares += (std::log(size) - mean) * (std::log(size) - mean); }
    double error = std::sqrt(squares / found);
    if (interpolation == Interpolation::akima) {
        error = std::max(error, least_spacing_share * static_cast<double>(search_points_per_gap) * search_step(valley));
    }
    optimum.ln_n_error = error * drawn / found;
    const bool from_draws = interpolation == Interpolation::akima;
    const auto estimate = [&](Estimate& e, double DrawnOptimum::*member) {
        const auto values = natural(optima, budget, member);
        e = summarise(from_draws ? median(values) : e.value, values);
    };
    estimate(optimum.n, &DrawnOptimum::ln_n);
    estimate(optimum.d, &DrawnOptimum::ln_d);
    estimate(optimum.loss, &DrawnOptimum::ln_loss);
}

}  // namespace

LossNoise estimate_noise(std::span<const Valley> valleys, Interpolation interpolation) {
    Pool seeds, residuals;
    for (const Valley& valley : valleys) {
        seeds.squares += valley.seed_squares;
        seeds.freedoms += valley.seed_freedoms;
        if (interpolation == Interpolation::akima || valley.ln_n.size() <= 3) { continue; }
        const auto fitted = parabola_loss(valley, interpolation);
        for (std::size_t i = 0; i < fitted.size(); ++i) {
            residuals.squares += valley.seeds[i] * (valley.loss[i] - fitted[i]) * (valley.loss[i] - fitted[i]);
        }
        residuals.freedoms += static_cast<double>(valley.ln_n.size()) - 3;
    }
    if (seeds.freedoms < fewest_seed_freedoms) { seeds = {}; }
    if (seeds.freedoms + residuals.freedoms == 0) { return {assumed_noise, "assumed"}; }
    return seeds.deviation() > residuals.deviation() ? LossNoise{seeds.deviation(), "seeds"}
                                                     : LossNoise{residuals.deviation(), "residuals"};
}

Optima find_optima(std::span<const Valley> valleys, Interpolation interpolation, EdgeOptima edge, double noise,
                   const BootstrapOptions& options) {
    Optima optima;
    optima.draws.resize(static_cast<std::size_t>(std::max(options.resamples, 0)));
    parallel_for(static_cast<int>(optima.draws.size()), options.threads, [&](int i) {
        const Random random{options.seed, Stream::resampling, static_cast<std::uint64_t>(i)};
        optima.draws[static_cast<std::size_t>(i)] = draw(valleys, interpolation, edge, noise, random);
    });
    for (std::size_t b = 0; b < valleys.size(); ++b) {
        const Valley& valley = valleys[b];
        BudgetOptimum optimum;
        optimum.compute = valley.compute;
        optimum.compute_spread = valley.compute_spread;
        optimum.n_points = valley.n_points;
        const ValleyMinimum lowest = minimum(valley, valley.loss, interpolation);
        optimum.at_edge = lowest.at_edge;
        optimum.left_out = lowest.usable(edge) ? "" : lowest.failure;
        optimum.curvature = lowest.curvature;
        const double ln_d = std::isnan(lowest.ln_n) ? nan : ln_nd_at(valley, lowest.ln_n) - lowest.ln_n;
        optimum.n = {std::exp(lowest.ln_n), nan, nan, nan};
        optimum.d = {std::exp(ln_d), nan, nan, nan};
        optimum.loss = {std::exp(lowest.ln_loss), nan, nan, nan};
        if (optimum.left_out.empty() && !optima.draws.empty()) {
            set_errors(optimum, optima, b, valley, interpolation);
        }
        optimum.used = optimum.left_out.empty();
        optima.budgets.push_back(std::move(optimum));
    }
    return optima;
}

}  // namespace loglog
