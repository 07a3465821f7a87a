#include "analysis/isoflop/surface_bias.hpp"

#include <cmath>

namespace loglog {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

struct Surface {
    const Law* law;
    Points points;
    Values coordinates;

    double loss(double ln_n, double ln_d) const {
        const std::array<double, 2> row{ln_n - points.centre[0], ln_d - points.centre[1]};
        return std::exp(law->log_loss(coordinates, row));
    }
};

Surface fit_surface(std::span<const Valley> valleys, const InferenceOptions& options) {
    std::vector<double> n, d, loss;
    std::vector<double> seeds;
    for (const Valley& valley : valleys) {
        for (std::size_t i = 0; i < valley.ln_n.size(); ++i) {
            n.push_back(std::exp(valley.ln_n[i]));
            d.push_back(std::exp(valley.ln_nd[i] - valley.ln_n[i]));
            loss.push_back(valley.loss[i]);
            seeds.push_back(valley.seeds[i]);
        }
    }
    const std::span<const double> columns[] = {n, d};
    Surface surface{&find_law("chinchilla"), make_points(columns, loss), {}};
    surface.points.weight = seeds;
    surface.coordinates =
        find_optimum(*surface.law, surface.points, options.objective, options.bootstrap.threads).best.coordinates;
    return surface;
}

/// ln N of the lowest loss along a budget, by golden-section search; the loss has one minimum along N D = constant.
double lowest_along(const Surface& surface, const Valley& valley) {
    const auto loss = [&](double ln_n) { return surface.loss(ln_n, ln_nd_at(valley, ln_n) - ln_n); };
    const double golden = (std::sqrt(5.0) - 1) / 2;
    const double reach = std::log(100.0);  // an optimum outside the sizes is looked for this far
    double from = valley.ln_n.front() - reach;
    double to = valley.ln_n.back() + reach;
    while (to - from > 1e-7) {  // below this the loss's own rounding decides
        const double left = to - golden * (to - from);
        const double right = from + golden * (to - from);
        if (loss(left) < loss(right)) {
            to = right;
        } else {
            from = left;
        }
    }
    return (from + to) / 2;
}

}  // namespace

SurfaceBias surface_bias(std::span<const Valley> valleys, const Optima& optima, Interpolation interpolation,
                         BudgetWeights weights, const InferenceOptions& options) {
    const Surface surface = fit_surface(valleys, options);
    std::vector<double> by_method, by_surface;
    SurfaceBias bias;
    for (std::size_t b = 0; b < valleys.size(); ++b) {
        if (!optima.budgets[b].used) {
            for (auto* list : {&by_method, &by_surface, &bias.bias_n}) { list->push_back(nan); }
            continue;
        }
        const Valley& valley = valleys[b];
        std::vector<double> loss;
        for (std::size_t i = 0; i < valley.ln_n.size(); ++i) {
            loss.push_back(surface.loss(valley.ln_n[i], valley.ln_nd[i] - valley.ln_n[i]));
        }
        by_method.push_back(minimum(valley, loss, interpolation).ln_n);
        by_surface.push_back(lowest_along(surface, valley));
        bias.bias_n.push_back(std::expm1(by_method.back() - by_surface.back()));
    }
    const ComputeLine method = fit_line(optima, weights, by_method);
    // Only budgets where the method finds a minimum on the surface too are compared.
    for (std::size_t b = 0; b < by_surface.size(); ++b) {
        if (std::isnan(by_method[b])) { by_surface[b] = nan; }
    }
    const ComputeLine own = fit_line(optima, weights, by_surface);
    bias.a = own.slope;
    bias.bias_a = method.slope - own.slope;
    for (const double budget : options.budgets) {
        bias.bias_n_predictions.push_back(std::expm1(method(std::log(budget)) - own(std::log(budget))));
    }
    const Values natural = surface.law->natural(surface.coordinates, surface.points.centre);
    for (std::size_t k = 0; k < surface.law->parameters().size(); ++k) {
        bias.parameters.emplace_back(surface.law->parameters()[k].name, natural[k]);
    }
    return bias;
}

}  // namespace loglog
