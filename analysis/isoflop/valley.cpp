#include "analysis/isoflop/valley.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "analysis/isoflop/akima.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double same_size = 1e-6;  // relative difference below which two N are one

constexpr std::array all_interpolations{Interpolation::parabola, Interpolation::parabola_log, Interpolation::akima};

bool in_logarithms(Interpolation interpolation) { return interpolation != Interpolation::parabola; }

ValleyMinimum none(std::string why) { return {nan, nan, nan, std::move(why), false}; }

/// y = height + slope (x - centre) + bend (x - centre)^2.
struct Parabola {
    double centre = 0;
    double height = 0;
    double slope = 0;
    double bend = 0;

    double operator()(double x) const { return height + (x - centre) * (slope + (x - centre) * bend); }
};

/// Weighted least squares through polynomials made orthogonal on the points, so that no small determinant is divided
/// by.
Parabola fit_parabola(std::span<const double> x, std::span<const double> y, std::span<const double> weight) {
    double w0 = 0, wx = 0, wy = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        w0 += weight[i];
        wx += weight[i] * x[i];
        wy += weight[i] * y[i];
    }
    const double centre = wx / w0;
    double t2 = 0, t3 = 0, ty = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double t = x[i] - centre;
        t2 += weight[i] * t * t;
        t3 += weight[i] * t * t * t;
        ty += weight[i] * t * y[i];
    }
    const double mean = wy / w0;
    const double skew = t3 / t2;  // t^2 - skew t - spread is orthogonal to 1 and t
    const double spread = t2 / w0;
    double norm = 0, along = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double t = x[i] - centre;
        const double p = t * t - skew * t - spread;
        norm += weight[i] * p * p;
        along += weight[i] * p * y[i];
    }
    const double bend = along / norm;
    return {centre, mean - bend * spread, ty / t2 - bend * skew, bend};
}

std::vector<double> heights(std::span<const double> loss, Interpolation interpolation) {
    std::vector<double> y(loss.begin(), loss.end());
    if (in_logarithms(interpolation)) {
        for (double& value : y) { value = std::log(value); }
    }
    return y;
}

ValleyMinimum parabola_minimum(const Valley& valley, std::span<const double> loss, Interpolation interpolation) {
    const Parabola fit = fit_parabola(valley.ln_n, heights(loss, interpolation), valley.seeds);
    if (!(fit.bend > 0)) { return none("the losses curve downwards: no minimum"); }
    const double lowest = fit.centre - fit.slope / (2 * fit.bend);
    const double height = fit(lowest);
    if (!in_logarithms(interpolation) && !(height > 0)) { return none("the parabola's lowest loss is not positive"); }
    ValleyMinimum found{lowest, in_logarithms(interpolation) ? height : std::log(height), 2 * fit.bend, {}, false};
    if (in_logarithms(interpolation)) { found.curvature *= std::exp(height); }
    if (lowest <= valley.ln_n.front()) { found.failure = "the optimum lies below the smallest size"; }
    if (lowest >= valley.ln_n.back()) { found.failure = "the optimum lies above the largest size"; }
    found.at_edge = !found.failure.empty();
    return found;
}

ValleyMinimum akima_minimum(const Valley& valley, std::span<const double> loss) {
    const Akima curve{valley.ln_n, heights(loss, Interpolation::akima)};
    const auto count = (valley.ln_n.size() - 1) * search_points_per_gap;
    const double step = search_step(valley);
    std::size_t best = 0;
    double lowest = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < count; ++i) {
        const double value = curve(valley.ln_n.front() + step * static_cast<double>(i));
        if (value < lowest) {
            lowest = value;
            best = i;
        }
    }
    if (best == 0) { return {nan, nan, nan, "the lowest loss is that of the smallest size", true}; }
    if (best + 1 == count) { return {nan, nan, nan, "the lowest loss is that of the largest size", true}; }
    const double at = valley.ln_n.front() + step * static_cast<double>(best);
    const double bend = (curve(at - step) - 2 * lowest + curve(at + step)) / (step * step);
    return {at, lowest, bend * std::exp(lowest), {}, false};
}

}  // namespace

Interpolation parse_interpolation(std::string_view text) {
    for (const auto interpolation : all_interpolations) {
        if (text == to_text(interpolation)) { return interpolation; }
    }
    throw InputError{"--interpolation '" + std::string{text} + "' must be parabola, parabola-log or akima"};
}

const char* to_text(Interpolation interpolation) noexcept {
    switch (interpolation) {
        case Interpolation::parabola:
            return "parabola";
        case Interpolation::parabola_log:
            return "parabola-log";
        case Interpolation::akima:
            return "akima";
    }
    return "parabola";
}

std::vector<Valley> group_by_budget(std::span<const double> n, std::span<const double> d, std::span<const double> c,
                                    std::span<const double> loss, double tolerance) {
    std::vector<std::size_t> order(c.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return c[i] < c[j]; });
    std::vector<Valley> valleys;
    for (std::size_t begin = 0; begin < order.size();) {
        std::size_t end = begin + 1;
        while (end < order.size() && c[order[end]] <= c[order[end - 1]] * (1 + tolerance)) { ++end; }
        std::vector<std::size_t> rows(order.begin() + static_cast<std::ptrdiff_t>(begin),
                                      order.begin() + static_cast<std::ptrdiff_t>(end));
        std::stable_sort(rows.begin(), rows.end(), [&](std::size_t i, std::size_t j) { return n[i] < n[j]; });
        Valley valley;
        valley.n_points = rows.size();
        valley.compute_spread = c[order[end - 1]] / c[order[begin]];
        double ln_compute = 0;
        for (std::size_t k = 0; k < rows.size();) {
            double sum = 0, ln_nd = 0, count = 0;
            const double first = n[rows[k]];
            const auto from = k;
            for (; k < rows.size() && n[rows[k]] <= first * (1 + same_size); ++k) {
                sum += loss[rows[k]];
                ln_nd += std::log(n[rows[k]]) + std::log(d[rows[k]]);
                ln_compute += std::log(c[rows[k]] / c[order[begin]]);
                count += 1;
            }
            for (auto i = from; i < k; ++i) {
                const double difference = loss[rows[i]] - sum / count;
                valley.seed_squares += difference * difference;
            }
            valley.seed_freedoms += count - 1;
            valley.ln_n.push_back(std::log(first));
            valley.ln_nd.push_back(ln_nd / count);
            valley.loss.push_back(sum / count);
            valley.seeds.push_back(count);
        }
        valley.compute = c[order[begin]] * std::exp(ln_compute / static_cast<double>(rows.size()));
        valleys.push_back(std::move(valley));
        begin = end;
    }
    return valleys;
}

Valley central_part(const Valley& valley, std::size_t count) {
    const auto sizes = valley.ln_n.size();
    if (count == 0 || count >= sizes) { return valley; }
    const auto lowest =
        static_cast<std::size_t>(std::min_element(valley.loss.begin(), valley.loss.end()) - valley.loss.begin());
    const auto begin = std::min(lowest - std::min(lowest, (count - 1) / 2), sizes - count);
    Valley part = valley;
    const auto cut = [&](std::vector<double>& values) {
        values = {values.begin() + static_cast<std::ptrdiff_t>(begin),
                  values.begin() + static_cast<std::ptrdiff_t>(begin + count)};
    };
    for (auto* values : {&part.ln_n, &part.ln_nd, &part.loss, &part.seeds}) { cut(*values); }
    part.n_points = static_cast<std::size_t>(std::accumulate(part.seeds.begin(), part.seeds.end(), 0.0));
    return part;
}

bool ValleyMinimum::usable(EdgeOptima edge) const noexcept {
    return failure.empty() || (edge == EdgeOptima::keep && at_edge && std::isfinite(ln_n));
}

ValleyMinimum minimum(const Valley& valley, std::span<const double> loss, Interpolation interpolation) {
    if (valley.ln_n.size() < 3) {
        return none(std::to_string(valley.ln_n.size()) + (valley.ln_n.size() == 1 ? " size" : " sizes") +
                    ": at least 3 are wanted");
    }
    if (std::any_of(loss.begin(), loss.end(), [](double value) { return !(value > 0); })) {
        return none("a loss is not positive");
    }
    return interpolation == Interpolation::akima ? akima_minimum(valley, loss)
                                                 : parabola_minimum(valley, loss, interpolation);
}

std::vector<double> parabola_loss(const Valley& valley, Interpolation interpolation) {
    const Parabola fit = fit_parabola(valley.ln_n, heights(valley.loss, interpolation), valley.seeds);
    std::vector<double> values;
    for (const double x : valley.ln_n) { values.push_back(in_logarithms(interpolation) ? std::exp(fit(x)) : fit(x)); }
    return values;
}

double ln_nd_at(const Valley& valley, double ln_n) {
    if (ln_n <= valley.ln_n.front()) { return valley.ln_nd.front(); }
    if (ln_n >= valley.ln_n.back()) { return valley.ln_nd.back(); }
    const auto above = static_cast<std::size_t>(std::upper_bound(valley.ln_n.begin() + 1, valley.ln_n.end() - 1, ln_n) -
                                                valley.ln_n.begin());
    const double share = (ln_n - valley.ln_n[above - 1]) / (valley.ln_n[above] - valley.ln_n[above - 1]);
    return valley.ln_nd[above - 1] + share * (valley.ln_nd[above] - valley.ln_nd[above - 1]);
}

double search_step(const Valley& valley) {
    const auto count = (valley.ln_n.size() - 1) * search_points_per_gap;
    return (valley.ln_n.back() - valley.ln_n.front()) / static_cast<double>(count - 1);
}

}  // namespace loglog
