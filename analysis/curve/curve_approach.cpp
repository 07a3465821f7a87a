#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "analysis/curve/curve_problem.hpp"

namespace loglog {
namespace {

constexpr int steps_per_threshold = 40;
constexpr double good_enough = 1e-5;  // relative gain of a step below which the next threshold is tried

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, 0, max_curve_parameters, max_curve_parameters>;
using Vector = Eigen::Matrix<double, Eigen::Dynamic, 1, 0, max_curve_parameters, 1>;

CurveValues clamped(const CurveForm& form, CurveValues q) {
    for (std::size_t k = 0; k < form.parameters().size(); ++k) {
        q[k] = std::clamp(q[k], form.parameters()[k].lower, form.parameters()[k].upper);
    }
    return q;
}

/// A damped step; amplitudes are not damped, for they are solved for afterwards.
CurveValues stepped(const CurveForm& form, CurveValues q, const CurveExpansion& at, double damping) {
    const auto n = static_cast<Eigen::Index>(form.parameters().size());
    Matrix metric(n, n);
    Vector gradient(n);
    for (Eigen::Index j = 0; j < n; ++j) {
        const auto row = static_cast<std::size_t>(j);
        gradient[j] = at.gradient[row];
        for (Eigen::Index k = 0; k < n; ++k) { metric(j, k) = at.metric[row][static_cast<std::size_t>(k)]; }
        metric(j, j) *= 1 + (form.is_amplitude(row) ? 1e-12 : damping);
        metric(j, j) += 1e-300;
    }
    const Vector step = metric.ldlt().solve(-gradient);
    for (Eigen::Index k = 0; k < n; ++k) { q[static_cast<std::size_t>(k)] += std::isfinite(step[k]) ? step[k] : 0.0; }
    return clamped(form, q);
}

}  // namespace

CurveValues approach(const CurveProblem& problem, const CurveValues& start) {
    const CurveForm& form = problem.form();
    const double last = problem.objective().threshold(1e-3);
    const double exact = 1e-20 * static_cast<double>(problem.size());  // noise-free data met: minimise() does the rest
    CurveValues q = clamped(form, start);
    for (double delta = 0.1; delta >= 0.99 * std::min(last, 0.1); delta /= 10) {
        double damping = 1e-2;
        CurveExpansion at = problem.expand(q, delta);
        for (int i = 0; i < steps_per_threshold && damping < 1e8; ++i) {
            const CurveValues trial = clamped(form, problem.with_amplitudes(stepped(form, q, at, damping), delta));
            const double value = problem.value(trial, delta);
            if (!(value < at.value)) {
                damping *= 4;
                continue;
            }
            const bool done = at.value - value < good_enough * at.value;
            q = trial;
            damping /= 5;
            at = problem.expand(q, delta);
            if (done || at.value < exact) { break; }
        }
    }
    return q;
}

}  // namespace loglog
