#pragma once

#include <span>
#include <vector>

#include "analysis/curve/curve_form.hpp"
#include "analysis/laws/objective.hpp"

namespace loglog {

/// The objective at one place: value, gradient, Hessian, and the positive metric sum of w |psi(r)/r| g g^T.
struct CurveExpansion {
    double value = 0;
    CurveValues gradient{};
    CurveMatrix hessian{};
    CurveMatrix metric{};
};

/// A form to be fitted to curves: what is minimised, as a function of the form's coordinates.
class CurveProblem {
  public:
    CurveProblem(const CurveForm& form, std::span<const Curve> curves, const Objective& objective);

    const CurveForm& form() const noexcept { return *form_; }
    const CurveCentre& centre() const noexcept { return centre_; }
    std::size_t size() const noexcept { return losses_.size(); }

    /// How much each curve counts, in the order of the constructor's; 1 at first.
    void weigh_curves(std::span<const double> weights);
    /// The problem with every `stride`-th observation alone.
    CurveProblem thinned(std::size_t stride) const;

    /// One start per shape of the form, its amplitudes by linear least squares on relative errors.
    std::vector<CurveValues> starts() const;
    /// The same shape with the amplitudes that least squares give, errors weighted as Huber's penalty does here.
    CurveValues with_amplitudes(const CurveValues& coordinates, double delta) const;

    /// Infinite where a predicted loss has no logarithm. `delta` takes the place of the objective's own threshold.
    double value(const CurveValues& coordinates, double delta) const;
    CurveExpansion expand(const CurveValues& coordinates, double delta) const;
    const Objective& objective() const noexcept { return objective_; }

  private:
    double residual(double predicted, std::size_t observation) const;
    CurveValues solve_amplitudes(const CurveValues& coordinates, std::span<const double> weights) const;

    const CurveForm* form_;
    Objective objective_;
    CurveCentre centre_;
    std::vector<Exposure> exposures_;
    std::vector<double> losses_;
    std::vector<double> ln_losses_;
    std::vector<double> weights_;
    std::vector<std::size_t> curve_of_;
};

/// Where a descent ended.
struct CurveMinimum {
    CurveValues coordinates{};
    double value = 0;
    double gradient_norm = 0;  ///< largest entry along free coordinates over sqrt(metric * value)
    double condition = 0;      ///< of the metric, scaled to unit diagonal
    int iterations = 0;
    bool converged = false;
};

/// Newton's method with exact second derivatives, damped by the positive metric and kept inside the form's bounds by
/// projection. For the absolute penalty, Huber's threshold is lowered in steps to 1e-10.
CurveMinimum minimise(const CurveProblem& problem, const CurveValues& start);

/// From far away to near a minimum: Levenberg-Marquardt on the shape with the amplitudes eliminated (variable
/// projection; Golub and Pereyra 1973, doi:10.1137/0710036), since they and the shape form a long curved valley.
/// Huber's threshold comes down to the objective's own from where every residual counts as a square.
CurveValues approach(const CurveProblem& problem, const CurveValues& start);

}  // namespace loglog
