#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numeric>

#include "analysis/inference/checks.hpp"

namespace loglog {
namespace {

constexpr std::size_t most_outliers_named = 8;
constexpr std::size_t fewest_points = 20;  // for a statement about the noise's shape
constexpr double significant = 1e-3;       // several variables are looked at in every fit
constexpr double efficiency = 0.37;        // of the median absolute deviation, for normal residuals

/// Ranks from 0; equal values share the mean of theirs.
std::vector<double> ranks(const std::vector<double>& values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
    std::vector<double> result(values.size());
    for (std::size_t begin = 0; begin < order.size();) {
        std::size_t end = begin;
        while (end < order.size() && values[order[end]] == values[order[begin]]) { ++end; }
        for (std::size_t k = begin; k < end; ++k) { result[order[k]] = static_cast<double>(begin + end - 1) / 2; }
        begin = end;
    }
    return result;
}

/// Spearman's rank correlation.
double rank_correlation(const std::vector<double>& left, const std::vector<double>& right) {
    const auto l = ranks(left);
    const auto r = ranks(right);
    const double mean = static_cast<double>(left.size() - 1) / 2;
    double ll = 0;
    double rr = 0;
    double lr = 0;
    for (std::size_t i = 0; i < l.size(); ++i) {
        ll += (l[i] - mean) * (l[i] - mean);
        rr += (r[i] - mean) * (r[i] - mean);
        lr += (l[i] - mean) * (r[i] - mean);
    }
    return ll > 0 && rr > 0 ? lr / std::sqrt(ll * rr) : 0;
}

void report_outliers(const Inference& fit, std::vector<Warning>& found) {
    if (fit.outliers.empty()) { return; }
    std::string names;
    for (std::size_t k = 0; k < std::min(fit.outliers.size(), most_outliers_named); ++k) {
        names += (k == 0 ? "" : ", ") + fit.outliers[k].id + fmt::format(" ({:+.1f})", fit.outliers[k].z);
    }
    if (fit.outliers.size() > most_outliers_named) { names += ", ..."; }
    found.push_back(
        {"outliers", fmt::format("{} of {} points lie more than {:.1f} robust standard deviations off the law: {}; "
                                 "they were kept; see what they change with --sensitivity",
                                 fit.outliers.size(), fit.points.size(),
                                 outlier_threshold(fit.points.size(), free_parameters(*fit.law)), names)});
}

/// Noise that changes along a variable, by the rank correlation of the residuals' sizes with it.
void report_uneven_noise(const Inference& fit, const std::vector<double>& residuals, std::vector<Warning>& found) {
    std::vector<double> sizes;
    for (const double r : residuals) { sizes.push_back(std::abs(r)); }
    const auto n = static_cast<double>(sizes.size());
    const boost::math::students_t distribution{n - 2};
    for (std::size_t variable = 0; variable < fit.points.variables; ++variable) {
        std::vector<double> x;
        for (const auto& row : fit.points.ln_x) { x.push_back(row[variable]); }
        const double rho = rank_correlation(x, sizes);
        const double t = std::abs(rho) * std::sqrt((n - 2) / std::max(1 - rho * rho, 1e-12));
        const double p = 2 * cdf(complement(distribution, t));
        if (p < significant) {
            found.push_back({"uneven_noise",
                             fmt::format("residuals {} with {} (rank correlation {:+.2f}, p = {:.1g}): one width of "
                                         "noise for all points, which AICc and a parametric bootstrap assume, does not "
                                         "hold; case resamples do not assume it",
                                         rho < 0 ? "shrink" : "grow", variable_name(fit, variable), rho, p)});
        }
    }
}

void report_heavy_tails(const Inference& fit, const std::vector<double>& residuals, std::vector<Warning>& found) {
    if (fit.objective.penalty != Objective::Penalty::squares) { return; }
    const auto left = static_cast<double>(residuals.size() - free_parameters(*fit.law));
    const double squares = std::inner_product(residuals.begin(), residuals.end(), residuals.begin(), 0.0);
    const double plain = std::sqrt(squares / left);
    const double robust = robust_deviation(residuals, fit.points, free_parameters(*fit.law));
    // Three standard errors of the robust deviation above equality.
    if (plain > robust * (1 + 3 / std::sqrt(2 * efficiency * left))) {
        found.push_back(
            {"heavy_tails",
             fmt::format("the residuals' standard deviation, {:.2g}, is {:.1f} times their robust one: a few "
                         "points rule a least-squares fit; use --objective huber-log",
                         plain, plain / robust)});
    }
}

}  // namespace

void check_residuals(const Inference& fit, std::vector<Warning>& found) {
    report_outliers(fit, found);
    if (fit.points.size() < fewest_points + free_parameters(*fit.law)) { return; }
    const auto residuals = residuals_of(*fit.law, fit.points, fit.objective, fit.optimum.best.coordinates);
    const double largest =
        std::abs(*std::max_element(residuals.begin(), residuals.end(),
                                   [](double left, double right) { return std::abs(left) < std::abs(right); }));
    if (largest < 1e-9) { return; }  // arithmetic, not noise
    report_uneven_noise(fit, residuals, found);
    report_heavy_tails(fit, residuals, found);
}

}  // namespace loglog
