#include "analysis/fit/solver.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

namespace loglog {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, 0, max_parameters, max_parameters>;
using Vector = Eigen::Matrix<double, Eigen::Dynamic, 1, 0, max_parameters, 1>;

constexpr int max_iterations = 120;
constexpr double settled = 1e-9;  // relative gain, made and promised, below which a search needs no further step
constexpr double slow = 1e-6;     // relative gain an iteration that is a crawl if it repeats
constexpr int most_slow = 10;

void clamp_to_bounds(const Law& law, Values& q) {
    const auto specs = law.parameters();
    for (std::size_t k = 0; k < specs.size(); ++k) { q[k] = std::clamp(q[k], specs[k].lower, specs[k].upper); }
}

bool held_by_bound(const ParameterSpec& spec, double value, double gradient) {
    return (value <= spec.lower && gradient > 0) || (value >= spec.upper && gradient < 0);
}

/// Coordinates that may move: of free parameters, not at a bound that the gradient pushes against.
std::vector<int> free_coordinates(const Law& law, const Values& q, const Expansion& at) {
    std::vector<int> free;
    const auto specs = law.parameters();
    for (std::size_t k = 0; k < specs.size(); ++k) {
        if (specs[k].is_free() && !held_by_bound(specs[k], q[k], at.gradient[k])) {
            free.push_back(static_cast<int>(k));
        }
    }
    return free;
}

struct Reduced {
    Matrix hessian, metric;
    Vector gradient;
};

Reduced reduce(const Expansion& at, const std::vector<int>& free) {
    const auto n = static_cast<Eigen::Index>(free.size());
    Reduced r{Matrix(n, n), Matrix(n, n), Vector(n)};
    for (Eigen::Index j = 0; j < n; ++j) {
        r.gradient[j] = at.gradient[free[j]];
        for (Eigen::Index k = 0; k < n; ++k) {
            r.hessian(j, k) = at.hessian[free[j]][free[k]];
            r.metric(j, k) = at.metric[free[j]][free[k]];
        }
        // Keeps a coordinate without any leverage (a flat direction) from making the metric singular.
        r.metric(j, j) += 1e-12 * r.metric(j, j) + 1e-300;
    }
    return r;
}

/// Gradient in the units in which each coordinate moves the residuals by one: g_k / sqrt(metric_kk * value).
double relative_gradient(const Reduced& r, double value) {
    double largest = 0;
    for (Eigen::Index k = 0; k < r.gradient.size(); ++k) {
        const double scale = std::sqrt(r.metric(k, k) * std::max(value, 1e-24));
        if (scale > 0) { largest = std::max(largest, std::abs(r.gradient[k]) / scale); }
    }
    return largest;
}

Minimum newton(const Law& law, const Points& points, const Objective& objective, double delta, Values q,
               DescentEnd precision) {
    clamp_to_bounds(law, q);
    Minimum minimum;
    double damping = 1e-3;
    int slow_iterations = 0;  // one after another
    Expansion at = law.expand(q, points, objective, delta);
    for (; minimum.iterations < max_iterations; ++minimum.iterations) {
        const auto free = free_coordinates(law, q, at);
        const Reduced r = reduce(at, free);
        minimum.gradient_norm = relative_gradient(r, at.value);
        // Residuals below 1e-12 are noise-free data met to rounding.
        const bool exact = at.value < 1e-24 * static_cast<double>(points.size());
        if (free.empty() || exact || minimum.gradient_norm < 1e-13) {
            minimum.converged = true;
            break;
        }
        const double before = at.value;
        const double first_damping = damping;
        double promised = 0;
        bool moved = false;
        while (damping < 1e12) {
            const Eigen::LLT<Matrix> factor{r.hessian + damping * r.metric};
            if (factor.info() == Eigen::Success) {
                const Vector step = factor.solve(-r.gradient);
                const double expected = -r.gradient.dot(step) / 2;
                Values trial = q;
                for (std::size_t k = 0; k < free.size(); ++k) { trial[free[k]] += step[static_cast<Eigen::Index>(k)]; }
                clamp_to_bounds(law, trial);
                const double value = law.value(trial, points, objective, delta);
                if (value < at.value) {
                    q = trial;
                    promised = expected;
                    damping = std::max(damping / 8, 1e-12);
                    moved = true;
                    break;
                }
                // A promised gain below rounding: nothing is left to find.
                if (expected < 4 * std::numeric_limits<double>::epsilon() * at.value) {
                    minimum.converged = true;
                    break;
                }
            }
            damping *= 5;
        }
        if (!moved) { break; }
        at = law.expand(q, points, objective, delta);
        const double gain = before - at.value;
        if (precision == DescentEnd::search && first_damping <= 1e-3 && std::max(gain, promised) < settled * before) {
            minimum.converged = true;
            break;
        }
        // Newton's last steps gain little but are few: many of them are the floor of a valley that the data leave open.
        slow_iterations = gain < slow * before ? slow_iterations + 1 : 0;
        if (slow_iterations == most_slow) { break; }
    }
    minimum.coordinates = q;
    minimum.value = at.value;
    return minimum;
}

}  // namespace

Minimum polish(const Law& law, const Points& points, const Objective& objective, const Values& start,
               DescentEnd precision) {
    if (objective.penalty != Objective::Penalty::absolute) {
        return newton(law, points, objective, objective.threshold(0), start, precision);
    }
    Minimum minimum;
    minimum.coordinates = start;
    int iterations = 0;
    for (double delta = 1e-2; delta > 1e-11; delta /= 10) {
        minimum = newton(law, points, objective, delta, minimum.coordinates, precision);
        minimum.value = minimum.value / delta;
        iterations += minimum.iterations;
    }
    // Huber's sum over delta tends to the sum of |r| from below by at most points * delta / 2.
    minimum.iterations = iterations;
    minimum.converged = true;
    return minimum;
}

Minimum descend(const Law& law, const Points& points, const Objective& objective, const Values& start,
                DescentEnd precision) {
    const double delta = objective.threshold(1e-3);
    Values q = law.descend(start, points, objective, std::isfinite(delta) ? delta : 1e300);
    for (std::size_t k = 0; k < law.parameters().size(); ++k) {
        if (!std::isfinite(q[k])) { q = start; }
    }
    return polish(law, points, objective, q, precision);
}

double condition_number(const Law& law, const Points& points, const Objective& objective, const Values& coordinates) {
    const Expansion at = law.expand(coordinates, points, objective, objective.threshold(1e-3));
    std::vector<std::size_t> free;
    for (std::size_t k = 0; k < law.parameters().size(); ++k) {
        if (law.parameters()[k].is_free()) { free.push_back(k); }
    }
    const auto n = static_cast<Eigen::Index>(free.size());
    Matrix scaled(n, n);
    for (Eigen::Index j = 0; j < n; ++j) {
        for (Eigen::Index k = 0; k < n; ++k) {
            const double norm = std::sqrt(at.metric[free[j]][free[j]] * at.metric[free[k]][free[k]]);
            scaled(j, k) = norm > 0 ? at.metric[free[j]][free[k]] / norm : 0.0;
        }
    }
    const Eigen::SelfAdjointEigenSolver<Matrix> eigen{scaled, Eigen::EigenvaluesOnly};
    const double smallest = eigen.eigenvalues().minCoeff();
    return smallest > 0 ? eigen.eigenvalues().maxCoeff() / smallest : std::numeric_limits<double>::infinity();
}

}  // namespace loglog
