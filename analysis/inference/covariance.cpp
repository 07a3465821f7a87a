#include "analysis/inference/covariance.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/inference/fit_information.hpp"
#include "analysis/inference/robust_scale.hpp"

namespace loglog {
namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

bool by_itself(const ParameterSpec& spec) { return spec.link.kind == Link::Kind::value; }

std::string scale_name(const ParameterSpec& spec) {
    const std::string name{spec.name};
    if (by_itself(spec)) { return name; }
    return spec.link.kind == Link::Kind::reciprocal ? "1/" + name : "ln " + name;
}

double on_scale(const ParameterSpec& spec, double reported) {
    if (by_itself(spec)) { return reported; }
    return spec.link.kind == Link::Kind::reciprocal ? 1 / reported : std::log(reported);
}

Eigen::MatrixXd matrix_of(const FitInformation& information) {
    const auto n = static_cast<Eigen::Index>(information.free.size());
    Eigen::MatrixXd matrix(n, n);
    for (Eigen::Index j = 0; j < n; ++j) {
        for (Eigen::Index k = 0; k < n; ++k) { matrix(j, k) = information.matrix[j][k]; }
    }
    return matrix;
}

/// Sum over groups of the square of their summed scores w psi(r) g.
Eigen::MatrixXd grouped_scores(const Law& law, const Points& points, const Objective& objective, const Values& q,
                               const std::vector<std::size_t>& free, double threshold) {
    const auto n = static_cast<Eigen::Index>(free.size());
    const std::size_t groups = *std::max_element(points.group.begin(), points.group.end()) + 1;
    Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(n, n);
    std::vector<Points> members(groups);
    for (std::size_t i = 0; i < points.size(); ++i) {
        Points& group = members[points.group[i]];
        group.variables = points.variables;
        group.centre = points.centre;
        group.ln_x.push_back(points.ln_x[i]);
        group.loss.push_back(points.loss[i]);
        group.ln_loss.push_back(points.ln_loss[i]);
        group.weight.push_back(points.weight[i]);
    }
    for (const Points& group : members) {
        const Expansion at = law.expand(q, group, objective, threshold);
        Eigen::VectorXd score(n);
        for (Eigen::Index k = 0; k < n; ++k) { score[k] = at.gradient[free[k]]; }
        sum += score * score.transpose();
    }
    const auto count = static_cast<double>(groups);
    return count > 1 ? Eigen::MatrixXd{sum * (count / (count - 1))} : Eigen::MatrixXd{sum * infinite};
}

/// Derivatives of the parameters on their scales by the free coordinates, by central differences.
Eigen::MatrixXd scale_by_coordinate(const Law& law, const Points& points, const Values& q,
                                    const std::vector<std::size_t>& free) {
    const auto specs = law.parameters();
    Eigen::MatrixXd slope(static_cast<Eigen::Index>(specs.size()), static_cast<Eigen::Index>(free.size()));
    for (std::size_t j = 0; j < free.size(); ++j) {
        const double step = 1e-5 * std::max(std::abs(q[free[j]]), 1e-2);
        Values above = q;
        Values below = q;
        above[free[j]] += step;
        below[free[j]] -= step;
        const Values high = law.natural(above, points.centre);
        const Values low = law.natural(below, points.centre);
        for (std::size_t k = 0; k < specs.size(); ++k) {
            slope(static_cast<Eigen::Index>(k), static_cast<Eigen::Index>(j)) =
                (on_scale(specs[k], high[k]) - on_scale(specs[k], low[k])) / (2 * step);
        }
    }
    return slope;
}

Covariances asymptotic_covariance(const Law& law, const Points& points, const Objective& objective, const Values& q) {
    const FitInformation information = fit_information(law, points, objective, q);
    const auto& free = information.free;
    if (!(information.spread() > 0) || free.empty()) { return {}; }
    const Eigen::LDLT<Eigen::MatrixXd> factor{matrix_of(information)};
    if (factor.info() != Eigen::Success || !factor.isPositive()) { return {}; }
    const auto n = static_cast<Eigen::Index>(free.size());
    const Eigen::MatrixXd inverse = factor.solve(Eigen::MatrixXd::Identity(n, n));
    Eigen::MatrixXd covariance = information.spread() * inverse;
    if (!points.group.empty()) {
        covariance = inverse * grouped_scores(law, points, objective, q, free, information.threshold) * inverse /
                     (information.scale.curvature * information.scale.curvature);
    }
    const Eigen::MatrixXd slope = scale_by_coordinate(law, points, q, free);
    const Eigen::MatrixXd full = slope * covariance * slope.transpose();
    const std::size_t count = law.parameters().size();
    Covariances table(count, std::vector<double>(count, nan));
    for (std::size_t j = 0; j < count; ++j) {
        for (std::size_t k = 0; k < count; ++k) {
            const double value = full(static_cast<Eigen::Index>(j), static_cast<Eigen::Index>(k));
            const bool known = full(static_cast<Eigen::Index>(j), static_cast<Eigen::Index>(j)) > 0 &&
                               full(static_cast<Eigen::Index>(k), static_cast<Eigen::Index>(k)) > 0;
            if (known) { table[j][k] = value; }
        }
    }
    return table;
}

Covariances resampled_covariance(const Law& law, const std::vector<Values>& fits) {
    const auto specs = law.parameters();
    if (fits.size() < 2) { return {}; }
    std::vector<double> mean(specs.size(), 0.0);
    std::vector<std::vector<double>> placed;
    for (const Values& natural : fits) {
        std::vector<double> row;
        for (std::size_t k = 0; k < specs.size(); ++k) {
            row.push_back(on_scale(specs[k], natural[k]));
            mean[k] += row.back() / static_cast<double>(fits.size());
        }
        placed.push_back(std::move(row));
    }
    Covariances table(specs.size(), std::vector<double>(specs.size(), 0.0));
    for (const auto& row : placed) {
        for (std::size_t j = 0; j < specs.size(); ++j) {
            for (std::size_t k = 0; k < specs.size(); ++k) {
                table[j][k] += (row[j] - mean[j]) * (row[k] - mean[k]) / static_cast<double>(fits.size() - 1);
            }
        }
    }
    return table;
}

}  // namespace

ParameterCovariance parameter_covariance(const Law& law, const Points& points, const Objective& objective,
                                         const Optimum& optimum, const Resamples& resamples) {
    ParameterCovariance covariance;
    for (const auto& spec : law.parameters()) { covariance.names.push_back(scale_name(spec)); }
    covariance.asymptotic = asymptotic_covariance(law, points, objective, optimum.best.coordinates);
    covariance.bootstrap = resampled_covariance(law, resamples.natural);
    return covariance;
}

Covariances correlation(const Covariances& covariance) {
    Covariances table = covariance;
    for (std::size_t j = 0; j < table.size(); ++j) {
        for (std::size_t k = 0; k < table.size(); ++k) {
            const double norm = std::sqrt(covariance[j][j] * covariance[k][k]);
            table[j][k] = norm > 0 ? std::clamp(covariance[j][k] / norm, -1.0, 1.0) : nan;
        }
    }
    return table;
}

}  // namespace loglog
