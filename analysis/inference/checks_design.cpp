#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "analysis/inference/checks.hpp"
#include "analysis/inference/likelihood.hpp"
#include "analysis/inference/refit.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr double narrowest_range = 4;  // a factor below which an exponent is mostly noise
constexpr double collinear = 0.98;     // |correlation| of ln N and ln D
constexpr double least_gain = 6.635;   // of 2 ln L: what one free number gains by chance in 1% of cases (chi-squared)

void check_ranges(const Inference& fit, std::vector<Warning>& found) {
    const auto& points = fit.points;
    const auto needed = free_parameters(*fit.law);
    if (has_no_freedom(*fit.law, points)) {
        found.push_back({"few_points",
                         fmt::format("{} points for {} parameters: the curve passes through all of them and nothing is "
                                     "left to tell the noise by, so no error or interval is known; {} are wanted",
                                     points.size(), needed, 3 * needed)});
    } else if (points.size() < 3 * needed) {
        found.push_back({"few_points", fmt::format("{} points for {} parameters: intervals are unreliable below {}",
                                                   points.size(), needed, 3 * needed)});
    }
    for (std::size_t variable = 0; variable < points.variables; ++variable) {
        std::set<double> distinct;
        for (const auto& row : points.ln_x) { distinct.insert(row[variable]); }
        const double range = std::exp(*distinct.rbegin() - *distinct.begin());
        const std::string name = variable_name(fit, variable);
        if (distinct.size() < 3) {
            found.push_back({"few_sizes", fmt::format("{} distinct values of {}: a curve through two cannot be "
                                                      "told from any other; at least 3 are wanted",
                                                      distinct.size(), name)});
        }
        if (range < narrowest_range) {
            found.push_back({"narrow_range", fmt::format("{} spans a factor of {:.2f} only; below {:.0f} the exponent "
                                                         "is mostly noise",
                                                         name, range, narrowest_range)});
        }
    }
}

/// The principal axis of (ln N, ln D), through their means.
struct Line {
    double correlation = 0;
    double slope = 0;  ///< d ln D / d ln N along the principal axis
    std::array<double, 2> direction{};
};

bool is_of_n_and_d(const Law& law, const Points& points) {
    const auto variables = law.variables();
    return points.variables == 2 && variables[0] == "N" && variables[1] == "D";
}

Line line_of(const Points& points) {
    double xx = 0;
    double yy = 0;
    double xy = 0;
    for (const auto& row : points.ln_x) {  // centred, so these are the moments
        xx += row[0] * row[0];
        yy += row[1] * row[1];
        xy += row[0] * row[1];
    }
    Line line;
    line.correlation = xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0;
    const double angle = std::atan2(2 * xy, xx - yy) / 2;
    line.direction = {std::cos(angle), std::sin(angle)};
    line.slope = std::tan(angle);
    return line;
}

/// The points moved to their nearest place on the line.
Points projected(const Points& points, const Line& line) {
    Points flat = points;
    for (auto& row : flat.ln_x) {
        const double along = row[0] * line.direction[0] + row[1] * line.direction[1];
        row[0] = along * line.direction[0];
        row[1] = along * line.direction[1];
    }
    return flat;
}

std::string describe(const Points& points, const Line& line) {
    double low = points.x(0, 1) / points.x(0, 0);
    double high = low;
    for (std::size_t i = 0; i < points.size(); ++i) {
        const double ratio = points.x(i, 1) / points.x(i, 0);
        low = std::min(low, ratio);
        high = std::max(high, ratio);
    }
    if (high < 1.5 * low) {
        return fmt::format("all {} points lie on one ray of tokens per parameter (D/N from {:.4g} to {:.4g})",
                           points.size(), low, high);
    }
    return fmt::format("all {} points lie on one line of ln D against ln N (slope {:.3g}, correlation {:.5f})",
                       points.size(), line.slope, line.correlation);
}

/// What to train so that the two can be told apart.
std::string advice(const Points& points) {
    const double n = std::exp(points.centre[0]);
    const double d = std::exp(points.centre[1]);
    return fmt::format(
        "add runs that vary D at fixed N over a factor of 4 or more, for instance N = {:.3g} with D = "
        "{:.3g} and {:.3g}; what these points do hold is one curve: --law saturating --x N",
        n, d / 4, d * 4);
}

}  // namespace

void require_separable(const Law& law, const Points& points, const Objective& objective, const Optimum& optimum) {
    if (!is_of_n_and_d(law, points)) { return; }
    const Line line = line_of(points);
    if (std::abs(line.correlation) <= collinear) { return; }
    // Had the distances from the line any effect on the losses, taking them away would show in the fit.
    const Refit flat = refit("on the line", law, projected(points, line), objective, endings(optimum));
    const auto n = static_cast<double>(points.size());
    const double gain =
        2 * (log_likelihood(objective, optimum.best.value, n) - log_likelihood(objective, flat.value, n));
    if (gain > least_gain) { return; }
    std::string names;
    for (const auto& spec : law.parameters()) {
        if (spec.name != "E") { names += (names.empty() ? "" : ", ") + std::string{spec.name}; }
    }
    throw InputError{fmt::format(
        "{}: what N does to the loss and what D does cannot be told apart, so {} are not identified (with every point "
        "moved onto that line the law fits as well: 2 ln L changes by {:.2g}, at least {:.2g} is wanted); {}",
        describe(points, line), names, std::max(gain, 0.0), least_gain, advice(points))};
}

void check_design(const Inference& fit, std::vector<Warning>& found) {
    check_ranges(fit, found);
    if (!is_of_n_and_d(*fit.law, fit.points)) { return; }
    const double correlation = line_of(fit.points).correlation;
    if (std::abs(correlation) > collinear) {
        found.push_back({"collinear_design",
                         fmt::format("ln N and ln D move together (correlation {:.3f}): what N does and what D does "
                                     "can hardly be told apart; vary D at fixed N",
                                     correlation)});
    }
}

}  // namespace loglog
