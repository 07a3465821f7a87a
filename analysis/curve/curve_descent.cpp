#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/curve/curve_problem.hpp"

namespace loglog {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, 0, max_curve_parameters, max_curve_parameters>;
using Vector = Eigen::Matrix<double, Eigen::Dynamic, 1, 0, max_curve_parameters, 1>;

constexpr int max_iterations = 300;

struct Free {
    std::vector<std::size_t> coordinates;  ///< not at a bound that the gradient pushes against
    Matrix hessian, metric;
    Vector gradient;
};

Free free_part(const CurveForm& form, const CurveValues& q, const CurveExpansion& at) {
    Free free;
    for (std::size_t k = 0; k < form.parameters().size(); ++k) {
        const auto& [name, lower, upper] = form.parameters()[k];
        const bool held = (q[k] <= lower && at.gradient[k] > 0) || (q[k] >= upper && at.gradient[k] < 0);
        if (!held) { free.coordinates.push_back(k); }
    }
    const auto n = static_cast<Eigen::Index>(free.coordinates.size());
    free.hessian.resize(n, n);
    free.metric.resize(n, n);
    free.gradient.resize(n);
    for (Eigen::Index j = 0; j < n; ++j) {
        const std::size_t row = free.coordinates[static_cast<std::size_t>(j)];
        free.gradient[j] = at.gradient[row];
        for (Eigen::Index k = 0; k < n; ++k) {
            const std::size_t column = free.coordinates[static_cast<std::size_t>(k)];
            free.hessian(j, k) = at.hessian[row][column];
            free.metric(j, k) = at.metric[row][column];
        }
        free.metric(j, j) += 1e-12 * free.metric(j, j) + 1e-300;  // a flat direction must not make it singular
    }
    return free;
}

double relative_gradient(const Free& free, double value) {
    double largest = 0;
    for (Eigen::Index k = 0; k < free.gradient.size(); ++k) {
        const double scale = std::sqrt(free.metric(k, k) * std::max(value, 1e-24));
        if (scale > 0) { largest = std::max(largest, std::abs(free.gradient[k]) / scale); }
    }
    return largest;
}

CurveValues moved(const CurveForm& form, CurveValues q, const Free& free, const Vector& step) {
    for (std::size_t k = 0; k < free.coordinates.size(); ++k) {
        const std::size_t at = free.coordinates[k];
        const auto& [name, lower, upper] = form.parameters()[at];
        q[at] = std::clamp(q[at] + step[static_cast<Eigen::Index>(k)], lower, upper);
    }
    return q;
}

double condition_number(const CurveExpansion& at, std::size_t count) {
    const auto n = static_cast<Eigen::Index>(count);
    Eigen::MatrixXd scaled(n, n);
    for (std::size_t j = 0; j < count; ++j) {
        for (std::size_t k = 0; k < count; ++k) {
            const double norm = std::sqrt(at.metric[j][j] * at.metric[k][k]);
            scaled(static_cast<Eigen::Index>(j), static_cast<Eigen::Index>(k)) =
                norm > 0 ? at.metric[j][k] / norm : 0.0;
        }
    }
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen{scaled, Eigen::EigenvaluesOnly};
    const double smallest = eigen.eigenvalues().minCoeff();
    return smallest > 0 ? eigen.eigenvalues().maxCoeff() / smallest : std::numeric_limits<double>::infinity();
}

CurveMinimum newton(const CurveProblem& problem, CurveValues q, double delta) {
    const CurveForm& form = problem.form();
    CurveMinimum minimum;
    double damping = 1e-3;
    CurveExpansion at = problem.expand(q, delta);
    for (; minimum.iterations < max_iterations && std::isfinite(at.value); ++minimum.iterations) {
        const Free free = free_part(form, q, at);
        minimum.gradient_norm = relative_gradient(free, at.value);
        // Residuals below 1e-12 are noise-free data met to rounding.
        const bool exact = at.value < 1e-24 * static_cast<double>(problem.size());
        if (free.coordinates.empty() || exact || minimum.gradient_norm < 1e-12) {
            minimum.converged = true;
            break;
        }
        bool improved = false;
        for (; damping < 1e12 && !improved && !minimum.converged; damping *= improved ? 1.0 : 5.0) {
            const Eigen::LLT<Matrix> factor{free.hessian + damping * free.metric};
            if (factor.info() != Eigen::Success) { continue; }
            const Vector step = factor.solve(-free.gradient);
            const CurveValues trial = moved(form, q, free, step);
            const double value = problem.value(trial, delta);
            improved = value < at.value;
            if (improved) {
                q = trial;
                damping = std::max(damping / 8, 1e-12);
            } else {  // a promised gain below rounding: nothing is left to find
                const double promised = -free.gradient.dot(step) / 2;
                minimum.converged = promised < 4 * std::numeric_limits<double>::epsilon() * at.value;
            }
        }
        if (!improved) { break; }
        at = problem.expand(q, delta);
    }
    minimum.coordinates = q;
    minimum.value = at.value;
    minimum.condition = condition_number(at, form.parameters().size());
    return minimum;
}

}  // namespace

CurveMinimum minimise(const CurveProblem& problem, const CurveValues& start) {
    const CurveValues& q = start;
    if (problem.objective().penalty != Objective::Penalty::absolute) {
        const double delta = problem.objective().threshold(0);
        return newton(problem, q, std::isfinite(delta) ? delta : 1e300);
    }
    CurveMinimum minimum;
    minimum.coordinates = q;
    for (double delta = 1e-2; delta > 1e-11; delta /= 10) {
        minimum = newton(problem, minimum.coordinates, delta);
        minimum.value /= delta;  // Huber's sum over delta tends to the sum of |r|
    }
    return minimum;
}

}  // namespace loglog
