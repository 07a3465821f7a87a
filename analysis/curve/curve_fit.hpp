#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/curve/curve_problem.hpp"
#include "analysis/curve/form_choice.hpp"
#include "analysis/inference/inference.hpp"

namespace loglog {

/// How predictions compare with the losses measured along one curve.
struct CurveScore {
    std::string name;
    std::size_t n_points = 0;
    double r2 = 0;              ///< 1 - squared errors over squared deviations from the curve's mean
    double mae = 0;             ///< nats
    double rmse = 0;            ///< nats
    double mean_relative = 0;   ///< mean of |error| / measured: PredE in Luo et al. 2025
    double worst_relative = 0;  ///< the largest of them: WorstE
};

/// Losses predicted along a curve.
struct CurvePrediction {
    std::string name;
    std::vector<std::size_t> steps;
    std::vector<double> losses;
};

/// How hard the optimum is looked for.
enum class CurveSearch {
    thorough,  ///< from every start to its end, so that the share of starts that agree can be told
    quick,     ///< from a quarter of the starts, only the best few to the end: for many fits that are not reported
};

struct CurveFitOptions {
    Objective objective;
    BootstrapOptions bootstrap;
    std::vector<Exclusion> excluded;
    std::vector<Warning> warnings;
    CurveSearch search = CurveSearch::thorough;
};

/// A form fitted to some curves, how it predicts others, and the caveats.
struct CurveFit {
    const CurveForm* form = nullptr;
    std::optional<FormChoice> form_choice;  ///< where the form was not given
    Objective objective;
    CurveCentre centre;
    CurveMinimum best;
    CurveValues natural{};
    int starts = 0;
    int agreeing = 0;  ///< starts that ended within 1e-4 (relative) of the best objective
    std::size_t n_points = 0;
    int resamples = 0;
    std::vector<CurveValues> resampled;  ///< natural parameters of resamples of whole curves
    std::vector<NamedEstimate> parameters;
    std::vector<CurveScore> train;
    std::vector<CurveScore> test;
    std::vector<CurvePrediction> predictions;
    std::vector<Exclusion> excluded;
    std::vector<Warning> warnings;
};

/// Fits to `train`, scores it on `test`. Throws InputError where there are fewer observations than parameters, or no
/// curve whose learning rate falls.
CurveFit fit_curves(const CurveForm& form, std::span<const Curve> train, std::span<const Curve> test,
                    const CurveFitOptions& options);

/// The losses that the reported parameters give at the curve's observations; the measured ones are not looked at.
std::vector<double> predicted_losses(const CurveForm& form, const CurveValues& natural, const Curve& curve);

/// The objective at reported parameters.
double objective_at(const CurveForm& form, const CurveValues& natural, std::span<const Curve> curves,
                    const Objective& objective);

CurveScore score(const Curve& curve, std::span<const double> predicted);
/// The mean of each measure over the curves, as Luo et al. report them.
CurveScore mean_score(std::span<const CurveScore> scores);

std::string to_json(const CurveFit& fit);
std::string to_text(const CurveFit& fit);

}  // namespace loglog
