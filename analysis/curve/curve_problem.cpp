#include "analysis/curve/curve_problem.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

namespace loglog {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

using Columns = Eigen::Matrix<double, Eigen::Dynamic, 3>;

/// Least squares for the amplitudes; one that does not come out positive, as the forms want it, becomes a small one.
std::array<double, 3> amplitudes(const Columns& columns, const Eigen::VectorXd& losses) {
    const Eigen::Vector3d solved = columns.colPivHouseholderQr().solve(losses);
    std::array<double, 3> result{};
    for (Eigen::Index k = 0; k < 3; ++k) {
        const double largest = columns.col(k).cwiseAbs().maxCoeff();
        const double small = largest > 0 ? 1e-3 * losses.cwiseAbs().maxCoeff() / largest : 1.0;
        result[static_cast<std::size_t>(k)] = solved[k] > small ? solved[k] : small;  // also where it is NaN
    }
    return result;
}

double mean(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) { sum += value; }
    return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

}  // namespace

CurveProblem::CurveProblem(const CurveForm& form, std::span<const Curve> curves, const Objective& objective)
    : form_{&form}, objective_{objective} {
    std::vector<double> ln_sums;
    std::vector<double> ln_rates;
    for (std::size_t c = 0; c < curves.size(); ++c) {
        for (Exposure& exposure : form.exposures(curves[c])) {
            ln_sums.push_back(exposure.ln_sum);
            exposures_.push_back(std::move(exposure));
            curve_of_.push_back(c);
        }
        for (std::size_t i = 0; i < curves[c].steps.size(); ++i) {
            losses_.push_back(curves[c].losses[i]);
            ln_losses_.push_back(std::log(curves[c].losses[i]));
            ln_rates.push_back(std::log(curves[c].rates[curves[c].steps[i]]));
        }
    }
    weights_.assign(losses_.size(), 1.0);
    centre_ = {mean(ln_sums), mean(ln_rates)};
}

void CurveProblem::weigh_curves(std::span<const double> weights) {
    for (std::size_t i = 0; i < weights_.size(); ++i) { weights_[i] = weights[curve_of_[i]]; }
}

CurveProblem CurveProblem::thinned(std::size_t stride) const {
    CurveProblem subset = *this;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size(); i += stride, ++kept) {
        subset.exposures_[kept] = exposures_[i];
        subset.losses_[kept] = losses_[i];
        subset.ln_losses_[kept] = ln_losses_[i];
        subset.weights_[kept] = weights_[i];
        subset.curve_of_[kept] = curve_of_[i];
    }
    subset.exposures_.resize(kept);
    subset.losses_.resize(kept);
    subset.ln_losses_.resize(kept);
    subset.weights_.resize(kept);
    subset.curve_of_.resize(kept);
    return subset;
}

CurveValues CurveProblem::solve_amplitudes(const CurveValues& coordinates, std::span<const double> weights) const {
    const auto rows = static_cast<Eigen::Index>(size());
    Columns columns{rows, 3};
    Eigen::VectorXd losses{rows};
    for (std::size_t i = 0; i < size(); ++i) {
        const auto row = static_cast<Eigen::Index>(i);
        const bool log = objective_.residual == Objective::Residual::log;
        const double weight = std::sqrt(weights[i]) / (log ? losses_[i] : 1.0);
        const auto column = form_->columns(coordinates, exposures_[i], centre_);
        for (Eigen::Index k = 0; k < 3; ++k) { columns(row, k) = weight * column[static_cast<std::size_t>(k)]; }
        losses[row] = weight * losses_[i];
    }
    return form_->with_amplitudes(coordinates, amplitudes(columns, losses));
}

std::vector<CurveValues> CurveProblem::starts() const {
    std::vector<CurveValues> starts;
    for (const CurveValues& shape : form_->shapes()) { starts.push_back(solve_amplitudes(shape, weights_)); }
    return starts;
}

CurveValues CurveProblem::with_amplitudes(const CurveValues& coordinates, double delta) const {
    std::vector<double> weights = weights_;
    for (std::size_t i = 0; i < size(); ++i) {
        const double size = std::abs(residual(form_->loss(coordinates, exposures_[i], centre_), i));
        if (size > delta) { weights[i] *= delta / size; }
    }
    return solve_amplitudes(coordinates, weights);
}

double CurveProblem::residual(double predicted, std::size_t i) const {
    if (objective_.residual == Objective::Residual::linear) { return predicted - losses_[i]; }
    return predicted > 0 ? std::log(predicted) - ln_losses_[i] : infinity;
}

double CurveProblem::value(const CurveValues& coordinates, double delta) const {
    double sum = 0;
    for (std::size_t i = 0; i < size(); ++i) {
        if (weights_[i] == 0) { continue; }
        sum += weights_[i] * huber(residual(form_->loss(coordinates, exposures_[i], centre_), i), delta);
    }
    return std::isnan(sum) ? infinity : sum;
}

CurveExpansion CurveProblem::expand(const CurveValues& coordinates, double delta) const {
    const std::size_t count = form_->parameters().size();
    CurveExpansion sum;
    for (std::size_t i = 0; i < size(); ++i) {
        if (weights_[i] == 0) { continue; }
        ExpandedLoss at = form_->expand(coordinates, exposures_[i], centre_);
        const double r = residual(at.value, i);
        if (objective_.residual == Objective::Residual::log) {
            for (std::size_t j = 0; j < count; ++j) { at.gradient[j] /= at.value; }
            for (std::size_t j = 0; j < count; ++j) {
                for (std::size_t k = 0; k < count; ++k) {
                    at.hessian[j][k] = at.hessian[j][k] / at.value - at.gradient[j] * at.gradient[k];
                }
            }
        }
        const bool inside = std::abs(r) <= delta;
        const double slope = weights_[i] * std::clamp(r, -delta, delta);
        const double curvature = inside ? weights_[i] : 0.0;
        const double reweight = inside ? weights_[i] : weights_[i] * delta / std::abs(r);
        sum.value += weights_[i] * huber(r, delta);
        for (std::size_t j = 0; j < count; ++j) {
            sum.gradient[j] += slope * at.gradient[j];
            for (std::size_t k = 0; k < count; ++k) {
                const double outer = at.gradient[j] * at.gradient[k];
                sum.hessian[j][k] += curvature * outer + slope * at.hessian[j][k];
                sum.metric[j][k] += reweight * outer;
            }
        }
    }
    return sum;
}

}  // namespace loglog
