#pragma once

#include <ceres/jet.h>
#include <ceres/tiny_solver.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "analysis/laws/law.hpp"

// Turns a formula into a Law. Included by the laws' own .cpp files alone: Eigen and Ceres are slow to compile.

namespace loglog {

/// `Form` states: constexpr `name`, `formula`, `variables`, `parameters`; static `natural`, `starts`, `derived`,
/// `predict` as in Law; and `template <class T> static T log_loss(const T* coordinates, const T* ln_x)`.
template <class Form>
class FormLaw final : public Law {
    static constexpr int count = static_cast<int>(Form::parameters.size());
    using First = ceres::Jet<double, count>;
    using Second = ceres::Jet<First, count>;

  public:
    std::string_view name() const override { return Form::name; }
    std::string_view formula() const override { return Form::formula; }
    std::span<const std::string_view> variables() const override { return Form::variables; }
    std::span<const ParameterSpec> parameters() const override { return Form::parameters; }
    Values natural(const Values& coordinates, std::span<const double> centre) const override {
        return Form::natural(coordinates, centre);
    }
    std::vector<Values> starts(const Points& points) const override { return Form::starts(points); }
    std::vector<NamedValue> derived(const Values& natural) const override { return Form::derived(natural); }
    std::vector<NamedValue> predict(const Values& natural, double budget) const override {
        return Form::predict(natural, budget);
    }
    double log_loss(const Values& coordinates, std::span<const double> ln_x) const override {
        return Form::template log_loss<double>(coordinates.data(), ln_x.data());
    }

    double value(const Values& coordinates, const Points& points, const Objective& objective,
                 double delta) const override {
        double sum = 0;
        for (std::size_t i = 0; i < points.size(); ++i) {
            if (points.weight[i] == 0) { continue; }
            sum += points.weight[i] * huber(residual(coordinates.data(), points, i, objective), delta);
        }
        return sum;
    }

    Expansion expand(const Values& coordinates, const Points& points, const Objective& objective,
                     double delta) const override {
        std::array<Second, count> q;
        for (int k = 0; k < count; ++k) {
            q[k] = Second{First{coordinates[k], k}};
            q[k].v[k] = First{1.0};
        }
        Expansion at;
        for (std::size_t i = 0; i < points.size(); ++i) {
            const double weight = points.weight[i];
            if (weight == 0) { continue; }
            const Second r = residual(q.data(), points, i, objective);
            const double size = std::abs(r.a.a);
            const double slope = std::clamp(r.a.a, -delta, delta);
            const double curvature = size <= delta ? 1.0 : 0.0;
            const double reweight = size <= delta ? 1.0 : delta / size;
            at.value += weight * huber(r.a.a, delta);
            for (int j = 0; j < count; ++j) {
                at.gradient[j] += weight * slope * r.a.v[j];
                for (int k = 0; k <= j; ++k) {
                    const double outer = r.a.v[j] * r.a.v[k];
                    at.hessian[j][k] += weight * (curvature * outer + slope * r.v[j].v[k]);
                    at.metric[j][k] += weight * reweight * outer;
                }
            }
        }
        for (int j = 0; j < count; ++j) {
            for (int k = 0; k < j; ++k) {
                at.hessian[k][j] = at.hessian[j][k];
                at.metric[k][j] = at.metric[j][k];
            }
        }
        return at;
    }

    Values descend(const Values& start, const Points& points, const Objective& objective, double delta) const override {
        const RobustResiduals residuals{points, objective, delta};
        ceres::TinySolver<RobustResiduals> solver;
        solver.options.max_num_iterations = 60;
        solver.options.function_tolerance = 1e-12;
        solver.options.gradient_tolerance = 1e-14;
        solver.options.cost_threshold = 1e-28;
        Eigen::Matrix<double, count, 1> q = Eigen::Map<const Eigen::Matrix<double, count, 1>>(start.data());
        solver.Solve(residuals, &q);
        Values end{};
        std::copy_n(q.data(), count, end.begin());
        return end;
    }

  private:
    template <class T>
    static T residual(const T* q, const Points& points, std::size_t i, const Objective& objective) {
        using std::exp;
        std::array<T, Form::variables.size()> ln_x;
        for (std::size_t k = 0; k < ln_x.size(); ++k) { ln_x[k] = constant<T>(points.ln_x[i][k]); }
        const T ln_predicted = Form::template log_loss<T>(q, ln_x.data());
        if (objective.residual == Objective::Residual::log) { return ln_predicted - constant<T>(points.ln_loss[i]); }
        return exp(ln_predicted) - constant<T>(points.loss[i]);
    }
    template <class T>
    static T constant(double value) {
        if constexpr (std::is_same_v<T, Second>) {
            return Second{First{value}};
        } else {
            return T(value);
        }
    }

    // Least squares that equals the robust objective: s = sign(r) sqrt(2 rho(r)), once differentiable at delta.
    struct RobustResiduals {
        using Scalar = double;
        enum { NUM_RESIDUALS = Eigen::Dynamic, NUM_PARAMETERS = count };

        const Points& points;
        const Objective& objective;
        double delta;

        int NumResiduals() const { return static_cast<int>(points.size()); }
        bool operator()(const double* parameters, double* residuals, double* jacobian) const {
            std::array<First, count> q;
            for (int k = 0; k < count; ++k) { q[k] = First{parameters[k], k}; }
            const auto rows = points.size();
            for (std::size_t i = 0; i < rows; ++i) {
                const First r = residual(q.data(), points, i, objective);
                const double scale = std::sqrt(points.weight[i]);
                const bool inside = std::abs(r.a) <= delta;
                const double root = inside ? r.a : std::copysign(std::sqrt(2 * huber(r.a, delta)), r.a);
                const double slope = inside ? 1.0 : delta / std::abs(root);
                residuals[i] = scale * root;
                if (jacobian == nullptr) { continue; }
                for (int k = 0; k < count; ++k) { jacobian[k * rows + i] = scale * slope * r.v[k]; }
            }
            return true;
        }
    };
};

}  // namespace loglog
