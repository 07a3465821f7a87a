#pragma once

#include <ceres/jet.h>
#include <ceres/tiny_solver.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/laws/law.hpp"
#include "analysis/laws/second_order.hpp"

// Turns a formula into a Law. Included by the laws' own .cpp files alone: Eigen and Ceres are slow to compile.

namespace loglog {

/// A number without derivatives, as the scalar type of a formula.
template <class T>
T constant(double value) {
    return T(value);
}

/// f(x) for a function whose value and derivatives at x are known as numbers: cheaper than through a formula.
inline double compose(double, double value, double, double) { return value; }
template <int count>
ceres::Jet<double, count> compose(const ceres::Jet<double, count>& x, double value, double first, double) {
    return {value, first * x.v};
}

/// The value alone.
inline double plain(double x) { return x; }
template <class T>
double plain(const T& x) {
    return x.a;
}

/// `Form` states: constexpr `name`, `formula`, `variables`, `parameters`; static `starts`, `derived`, `predict` as in
/// Law; and `template <class T> static T log_loss(const T* coordinates, const T* ln_x)`, with a third argument
/// `const double* centre` where the formula needs the variables themselves; or `loss` of the two alone, where the law
/// is a sum, so that a linear residual takes no logarithm. It may state `measured` and `varying`.
template <class Form>
class FormLaw final : public Law {
    static constexpr int count = static_cast<int>(Form::parameters.size());
    static_assert(count <= static_cast<int>(max_parameters));
    using First = ceres::Jet<double, count>;
    using Second = SecondOrder<count>;
    template <class T>
    static constexpr bool states_loss = requires(const T* q, const T* ln_x) {
        Form::template loss<T>(q, ln_x);
    };

  public:
    FormLaw() = default;
    explicit FormLaw(std::span<const Hold> holds) {
        for (int k = 0; k < count; ++k) {
            ParameterSpec& spec = parameters_[k];
            spec.hold = holds[k];
            if (spec.is_free()) { continue; }
            any_held_ = true;
            // A held coordinate follows from the others, so no bound of its own can hold it.
            spec.lower = -std::numeric_limits<double>::infinity();
            spec.upper = std::numeric_limits<double>::infinity();
        }
    }

    std::string_view name() const override { return Form::name; }
    std::string_view formula() const override { return Form::formula; }
    std::span<const std::string_view> variables() const override { return Form::variables; }
    std::span<const ParameterSpec> parameters() const override { return parameters_; }
    std::string_view measured() const override {
        if constexpr (requires { Form::measured; }) { return Form::measured; }
        return Law::measured();
    }
    std::size_t varying() const override {
        if constexpr (requires { Form::varying; }) { return Form::varying; }
        return Law::varying();
    }
    std::shared_ptr<const Law> held(std::span<const Hold> holds) const override {
        return std::make_shared<const FormLaw>(holds);
    }
    Values natural(const Values& coordinates, std::span<const double> centre) const override {
        Values q = coordinates;
        complete(q.data(), centre.data());
        Values reported_values{};
        for (int k = 0; k < count; ++k) {
            const bool fixed = parameters_[k].hold.kind == Hold::Kind::fixed;
            reported_values[k] =
                fixed ? parameters_[k].hold.value : reported(parameters_[k], q.data(), k, centre.data());
        }
        return reported_values;
    }
    std::vector<Values> starts(const Points& points) const override {
        std::vector<Values> grid = Form::starts(points);
        for (Values& q : grid) {
            std::copy(points.centre.begin(), points.centre.end(), q.begin() + max_parameters);
            complete(q.data(), points.centre.data());
        }
        if (any_held_) { drop_repeated(grid); }
        return grid;
    }
    std::vector<NamedValue> derived(const Values& natural) const override { return Form::derived(natural); }
    std::vector<NamedValue> predict(const Values& natural, double budget) const override {
        return Form::predict(natural, budget);
    }
    double log_loss(const Values& coordinates, std::span<const double> ln_x) const override {
        Values q = coordinates;
        const double* centre = coordinates.data() + max_parameters;
        complete(q.data(), centre);
        return formula_at(q.data(), ln_x.data(), centre);
    }

    double value(const Values& coordinates, const Points& points, const Objective& objective,
                 double delta) const override {
        Values q = coordinates;
        complete(q.data(), points.centre.data());
        double sum = 0;
        for (std::size_t i = 0; i < points.size(); ++i) {
            if (points.weight[i] == 0) { continue; }
            sum += points.weight[i] * huber(residual(q.data(), points, i, objective), delta);
        }
        return sum;
    }

    Expansion expand(const Values& coordinates, const Points& points, const Objective& objective,
                     double delta) const override {
        std::array<Second, count> q;
        for (int k = 0; k < count; ++k) { q[k] = Second{coordinates[k], k}; }
        complete(q.data(), points.centre.data());
        Expansion at;
        for (std::size_t i = 0; i < points.size(); ++i) {
            const double weight = points.weight[i];
            if (weight == 0) { continue; }
            const Second r = residual(q.data(), points, i, objective);
            const double size = std::abs(r.a);
            const double slope = std::clamp(r.a, -delta, delta);
            const double curvature = size <= delta ? 1.0 : 0.0;
            const double reweight = size <= delta ? 1.0 : delta / size;
            at.value += weight * huber(r.a, delta);
            for (int j = 0; j < count; ++j) {
                at.gradient[j] += weight * slope * r.v[j];
                for (int k = 0; k <= j; ++k) {
                    const double outer = r.v[j] * r.v[k];
                    at.hessian[j][k] += weight * (curvature * outer + slope * r.h[Second::at(j, k)]);
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
        const RobustResiduals residuals{*this, points, objective, delta};
        ceres::TinySolver<RobustResiduals> solver;
        solver.options.max_num_iterations = 60;
        solver.options.function_tolerance = 1e-6;  // Newton takes over: cheaper than LM's slow end
        solver.options.gradient_tolerance = 1e-14;
        solver.options.cost_threshold = 1e-28;
        Eigen::Matrix<double, count, 1> q = Eigen::Map<const Eigen::Matrix<double, count, 1>>(start.data());
        solver.Solve(residuals, &q);
        Values end = start;
        std::copy_n(q.data(), count, end.begin());
        complete(end.data(), points.centre.data());
        return end;
    }

  private:
    template <class T>
    static T residual(const T* q, const Points& points, std::size_t i, const Objective& objective) {
        using std::exp;
        std::array<T, Form::variables.size()> ln_x;
        for (std::size_t k = 0; k < ln_x.size(); ++k) { ln_x[k] = constant<T>(points.ln_x[i][k]); }
        const bool is_linear = objective.residual == Objective::Residual::linear;
        if constexpr (states_loss<T>) {
            if (is_linear) { return Form::template loss<T>(q, ln_x.data()) - constant<T>(points.loss[i]); }
        }
        const T ln_predicted = formula_at(q, ln_x.data(), points.centre.data());
        if (is_linear) { return exp(ln_predicted) - constant<T>(points.loss[i]); }
        return ln_predicted - constant<T>(points.ln_loss[i]);
    }
    template <class T>
    static T formula_at(const T* q, const T* ln_x, const double* centre) {
        using std::log;
        if constexpr (states_loss<T>) {
            return log(Form::template loss<T>(q, ln_x));
        } else if constexpr (requires { Form::template log_loss<T>(q, ln_x, centre); }) {
            return Form::template log_loss<T>(q, ln_x, centre);
        } else {
            return Form::template log_loss<T>(q, ln_x);
        }
    }

    /// Sets the coordinates of held parameters from the free ones: amplitudes last, since they need their exponents.
    template <class T>
    void complete(T* q, const double* centre) const {
        if (!any_held_) { return; }
        const auto fix = [&](bool with_exponents) {
            for (int k = 0; k < count; ++k) {
                const ParameterSpec& spec = parameters_[k];
                if (spec.hold.kind == Hold::Kind::fixed && needs_exponents(spec.link) == with_exponents) {
                    q[k] = coordinate_of(spec, spec.hold.value, q, centre, constant<T>);
                }
            }
        };
        fix(false);
        for (int k = 0; k < count; ++k) {
            if (parameters_[k].hold.kind == Hold::Kind::tied) { q[k] = q[parameters_[k].hold.to]; }
        }
        fix(true);
    }
    static void drop_repeated(std::vector<Values>& grid) {
        std::vector<Values> distinct;
        for (const Values& q : grid) {
            if (std::find(distinct.begin(), distinct.end(), q) == distinct.end()) { distinct.push_back(q); }
        }
        grid = std::move(distinct);
    }

    // Least squares that equals the robust objective: s = sign(r) sqrt(2 rho(r)), once differentiable at delta.
    struct RobustResiduals {
        using Scalar = double;
        enum { NUM_RESIDUALS = Eigen::Dynamic, NUM_PARAMETERS = count };

        const FormLaw& law;
        const Points& points;
        const Objective& objective;
        double delta;

        int NumResiduals() const { return static_cast<int>(points.size()); }
        bool operator()(const double* parameters, double* residuals, double* jacobian) const {
            std::array<First, count> q;
            for (int k = 0; k < count; ++k) { q[k] = First{parameters[k], k}; }
            law.complete(q.data(), points.centre.data());
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

    std::array<ParameterSpec, count> parameters_ = Form::parameters;
    bool any_held_ = false;
};

}  // namespace loglog
