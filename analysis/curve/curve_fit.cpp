#include "analysis/curve/curve_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/curve/curve_caveats.hpp"
#include "analysis/fit/parallel.hpp"
#include "engine/base/error.hpp"
#include "engine/base/random.hpp"

namespace loglog {
namespace {

constexpr double agreement = 1e-4;
constexpr std::size_t observations_searched = 100;
constexpr std::size_t observations_searched_quickly = 50;
constexpr std::size_t most_followed = 2;
constexpr std::size_t fewest_curves_resampled = 5;

void check_identifiable(const CurveForm& form, std::span<const Curve> curves) {
    std::size_t observations = 0;
    bool falls = false;
    for (const Curve& curve : curves) {
        observations += curve.steps.size();
        const std::size_t last = curve.steps.empty() ? 0 : curve.steps.back();
        for (std::size_t k = 1; k <= last && !falls; ++k) { falls = curve.rates[k] < curve.rates[k - 1]; }
    }
    if (observations < form.parameters().size()) {
        throw InputError{fmt::format(
            "curve: the form '{}' has {} parameters but there are only {} losses to fit after the warm-up: add runs, "
            "or evaluate more often",
            form.name(), form.parameters().size(), observations)};
    }
    if (!falls) {
        throw InputError{
            "curve: the learning rate falls in none of the runs to fit, so nothing says what a decay does: add a run "
            "whose rate decays"};
    }
}

/// Searches from every start on some of the observations, then goes on from the endings on all of them; endings that
/// agree on the sample go on together, so there are as many results as starts.
std::vector<CurveMinimum> search(const CurveProblem& problem, int threads) {
    const std::size_t stride = std::max<std::size_t>(1, problem.size() / observations_searched);
    const CurveProblem some = problem.thinned(stride);
    const auto starts = some.starts();
    std::vector<CurveMinimum> ends(starts.size());
    parallel_for(static_cast<int>(starts.size()), threads, [&](int i) {
        const auto at = static_cast<std::size_t>(i);
        ends[at] = minimise(some, approach(some, starts[at]));
    });
    if (stride == 1) { return ends; }
    std::vector<std::size_t> leader(ends.size());
    std::vector<std::size_t> leaders;
    for (std::size_t i = 0; i < ends.size(); ++i) {
        const auto same = std::find_if(leaders.begin(), leaders.end(), [&](std::size_t j) {
            return std::abs(ends[i].value - ends[j].value) <= agreement * agreement * ends[j].value;
        });
        leader[i] = same == leaders.end() ? i : *same;
        if (same == leaders.end()) { leaders.push_back(i); }
    }
    std::vector<CurveMinimum> polished(ends.size());
    parallel_for(static_cast<int>(leaders.size()), threads, [&](int i) {
        const std::size_t at = leaders[static_cast<std::size_t>(i)];
        polished[at] = minimise(problem, approach(problem, ends[at].coordinates));
    });
    for (std::size_t i = 0; i < ends.size(); ++i) { polished[i] = polished[leader[i]]; }
    return polished;
}

/// Approaches from a quarter of the starts on few observations and goes on with the best endings alone.
std::vector<CurveMinimum> search_quickly(const CurveProblem& problem, int threads) {
    const CurveProblem some = problem.thinned(std::max<std::size_t>(1, problem.size() / observations_searched_quickly));
    const auto starts = some.starts();
    const double delta = problem.objective().threshold(1e-3);
    std::vector<std::pair<double, CurveValues>> near((starts.size() + 3) / 4);
    parallel_for(static_cast<int>(near.size()), threads, [&](int i) {
        const auto at = static_cast<std::size_t>(i);
        const CurveValues q = approach(some, starts[4 * at]);
        const double value = some.value(q, delta);
        near[at] = {std::isfinite(value) ? value : std::numeric_limits<double>::infinity(), q};
    });
    std::stable_sort(near.begin(), near.end(),
                     [](const auto& left, const auto& right) { return left.first < right.first; });
    near.resize(std::min(near.size(), most_followed));
    std::vector<CurveMinimum> ends(near.size());
    parallel_for(static_cast<int>(near.size()), threads, [&](int i) {
        const auto at = static_cast<std::size_t>(i);
        ends[at] = minimise(problem, approach(problem, near[at].second));
    });
    return ends;
}

/// Refits of curves drawn with replacement. A draw without a falling rate, or of one curve alone, says nothing.
std::vector<CurveValues> resample(const CurveProblem& problem, std::span<const Curve> curves, const CurveValues& start,
                                  const BootstrapOptions& options) {
    std::vector<CurveValues> natural(static_cast<std::size_t>(options.resamples));
    std::vector<char> usable(natural.size(), 0);
    parallel_for(options.resamples, options.threads, [&](int number) {
        const Random random{options.seed, Stream::resampling, static_cast<std::uint64_t>(number)};
        std::vector<double> weights(curves.size(), 0.0);
        for (std::size_t i = 0; i < curves.size(); ++i) { weights[random.below(i, curves.size())] += 1; }
        std::size_t distinct = 0;
        for (const double weight : weights) { distinct += weight > 0 ? 1 : 0; }
        if (distinct < 2) { return; }
        CurveProblem drawn = problem;
        drawn.weigh_curves(weights);
        const CurveMinimum end = minimise(drawn, approach(drawn, start));
        if (!std::isfinite(end.value)) { return; }
        const auto at = static_cast<std::size_t>(number);
        natural[at] = problem.form().natural(end.coordinates, problem.centre());
        usable[at] = 1;
    });
    std::vector<CurveValues> used;
    for (std::size_t i = 0; i < natural.size(); ++i) {
        if (usable[i] != 0) { used.push_back(natural[i]); }
    }
    return used;
}

}  // namespace

CurveFit fit_curves(const CurveForm& form, std::span<const Curve> train, std::span<const Curve> test,
                    const CurveFitOptions& options) {
    check_identifiable(form, train);
    const CurveProblem problem{form, train, options.objective};
    const int threads = options.bootstrap.threads;
    const auto ends =
        options.search == CurveSearch::thorough ? search(problem, threads) : search_quickly(problem, threads);
    CurveFit fit;
    fit.form = &form;
    fit.objective = options.objective;
    fit.centre = problem.centre();
    fit.n_points = problem.size();
    fit.starts = static_cast<int>(ends.size());
    fit.best.value = std::numeric_limits<double>::infinity();
    for (const CurveMinimum& end : ends) {
        if (end.value < fit.best.value) { fit.best = end; }
    }
    if (!std::isfinite(fit.best.value)) {
        throw Error{fmt::format("curve: none of the {} starts reached a finite objective", ends.size())};
    }
    const double rounding = 1e-24 * static_cast<double>(problem.size());
    for (const CurveMinimum& end : ends) {
        if (end.value <= fit.best.value * (1 + agreement) + rounding) { ++fit.agreeing; }
    }
    fit.natural = form.natural(fit.best.coordinates, fit.centre);

    if (train.size() >= fewest_curves_resampled && options.bootstrap.resamples > 0) {
        fit.resamples = options.bootstrap.resamples;
        fit.resampled = resample(problem, train, fit.best.coordinates, options.bootstrap);
    }
    for (std::size_t k = 0; k < form.parameters().size(); ++k) {
        std::vector<double> samples;
        for (const CurveValues& natural : fit.resampled) { samples.push_back(natural[k]); }
        fit.parameters.push_back(
            {std::string{form.parameters()[k].name}, summarise(fit.natural[k], std::move(samples))});
    }
    for (const Curve& curve : train) { fit.train.push_back(score(curve, predicted_losses(form, fit.natural, curve))); }
    for (const Curve& curve : test) { fit.test.push_back(score(curve, predicted_losses(form, fit.natural, curve))); }
    fit.excluded = options.excluded;
    fit.warnings = options.warnings;
    for (Warning& caveat : curve_caveats(fit, train)) { fit.warnings.push_back(std::move(caveat)); }
    return fit;
}

std::vector<double> predicted_losses(const CurveForm& form, const CurveValues& natural, const Curve& curve) {
    const CurveCentre centre;
    const CurveValues coordinates = form.coordinates(natural, centre);
    std::vector<double> losses;
    for (const Exposure& exposure : form.exposures(curve)) {
        losses.push_back(form.loss(coordinates, exposure, centre));
    }
    return losses;
}

double objective_at(const CurveForm& form, const CurveValues& natural, std::span<const Curve> curves,
                    const Objective& objective) {
    const CurveProblem problem{form, curves, objective};
    const double delta = objective.threshold(1e-11);
    const double value =
        problem.value(form.coordinates(natural, problem.centre()), std::isfinite(delta) ? delta : 1e300);
    return objective.penalty == Objective::Penalty::absolute ? value / delta : value;
}

}  // namespace loglog
