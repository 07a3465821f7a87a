#include "analysis/attention/axis_analysis.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <set>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

using Floor = Sharing::Floor;
using Exponent = Sharing::Exponent;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double significance = 0.05;
constexpr double zero_floor = 1e-3;  // share of the least loss below which a floor is none

double cost_of(CostAxis axis, const RunRecord& record) {
    switch (axis) {
        case CostAxis::flops:
            return record.flops.value_or(nan);
        case CostAxis::parameters:
            return record.non_embedding_params ? static_cast<double>(*record.non_embedding_params) : nan;
        case CostAxis::seconds:
            return record.seconds.value_or(nan);
    }
    return nan;
}

class AxisAnalysis {
  public:
    AxisAnalysis(const std::vector<LossPoint>& points, const RunGroups& groups, const CompareOptions& options,
                 AxisResult& result)
        : points_{points},
          groups_{groups},
          options_{options},
          variants_{static_cast<int>(groups.variants.size())},
          result_{result} {}

    void run() {
        fit_all();
        choose_floor();
        choose_exponents();
        state_exponents();
        state_multipliers();
        judge_controls();
    }

  private:
    void warn(const char* code, const std::string& text) {
        result_.warnings.push_back({code, fmt::format("over {}: {}", to_text(result_.axis), text)});
    }
    std::optional<FamilyFit> try_fit(const Sharing& sharing) const {
        try {
            return fit_family(points_, variants_, sharing, options_.residual);
        } catch (const InputError&) { return std::nullopt; }
    }
    const FamilyFit* fitted(const Sharing& sharing) const {
        for (const auto& fit : fits_) {
            if (fit.sharing == sharing) { return &fit; }
        }
        return nullptr;
    }
    FamilyResamples resample(const FamilyFit& fit) const {
        return resample_rows(points_, groups_.rows, fit, options_.bootstrap);
    }

    /// The smallest family says why if it cannot be fitted; larger ones may lack sizes or runs.
    void fit_all() {
        fits_.push_back(fit_family(points_, variants_, {Floor::none, Exponent::shared}, options_.residual));
        std::vector<Sharing> others{{Floor::none, Exponent::own}};
        if (groups_.sizes.size() >= 3) {
            others.push_back({Floor::shared, Exponent::shared});
            others.push_back({Floor::shared, Exponent::own});
            others.push_back({Floor::own, Exponent::own});
        }
        for (const auto& sharing : others) {
            if (auto fit = try_fit(sharing)) { fits_.push_back(std::move(*fit)); }
        }
        for (const auto& fit : fits_) { result_.scores.push_back(score(fit, points_.size())); }
        add_test("floor", {Floor::none, Exponent::shared}, {Floor::shared, Exponent::shared});
        add_test("exponents", {Floor::shared, Exponent::shared}, {Floor::shared, Exponent::own});
        add_test("exponents", {Floor::none, Exponent::shared}, {Floor::none, Exponent::own});
        add_test("floors", {Floor::shared, Exponent::own}, {Floor::own, Exponent::own});
    }

    void add_test(const char* question, const Sharing& null, const Sharing& alternative) {
        const FamilyFit* smaller = fitted(null);
        const FamilyFit* larger = fitted(alternative);
        if (smaller == nullptr || larger == nullptr) { return; }
        result_.tests.push_back(test_nested(question, *smaller, *larger, points_.size()));
    }

    /// A floor whose interval reaches zero is not told apart from none: then the laws have none.
    void choose_floor() {
        result_.floor = {nan, nan, nan, nan};
        const FamilyFit* with_floor = fitted({Floor::shared, Exponent::shared});
        if (with_floor == nullptr) {
            warn("floor_not_identified", "fewer than three sizes: the laws are fitted without a floor");
            return;
        }
        std::vector<double> floors;
        for (const auto& fit : resample(*with_floor).fits) { floors.push_back(fit.laws.front().floor); }
        result_.floor = summarise(with_floor->laws.front().floor, std::move(floors));
        double least = std::numeric_limits<double>::infinity();
        for (const auto& point : points_) { least = std::min(least, point.loss); }
        result_.floor_identified = result_.floor.low > zero_floor * least;
        if (result_.floor_identified) { return; }
        warn("floor_not_identified",
             std::isfinite(result_.floor.low)
                 ? fmt::format("the interval of the shared floor, {:.3g} to {:.3g}, reaches zero: the laws are fitted "
                               "without one",
                               result_.floor.low, result_.floor.high)
                 : "there are too few runs for an interval of the floor: the laws are fitted without one");
    }

    /// Exponents are shared unless the test finds them different: then a multiplier depends on the loss.
    void choose_exponents() {
        const Floor floor = result_.floor_identified ? Floor::shared : Floor::none;
        Sharing chosen{floor, Exponent::shared};
        for (const auto& test : result_.tests) {
            if (test.question == "exponents" && test.null.floor == floor && test.p < significance) {
                chosen.exponent = Exponent::own;
                warn(
                    "exponents_differ",
                    fmt::format("a shared exponent is rejected (F = {:.3g}, p = {:.2g}): each variant has its own, and "
                                "multipliers depend on the loss",
                                test.f, test.p));
            }
            if (test.question == "floors" && result_.floor_identified && test.p < significance) {
                warn(
                    "floors_differ",
                    fmt::format("a shared floor is rejected (F = {:.3g}, p = {:.2g}), but multipliers are stated under "
                                "one: do not extrapolate them",
                                test.f, test.p));
            }
        }
        result_.fit = *fitted(chosen);
        resamples_ = resample(result_.fit);
        result_.degrees = resamples_.degrees;
        if (resamples_.fits.empty() && options_.bootstrap.resamples > 0) {
            warn("no_degrees_of_freedom", "as many numbers as runs: no interval can be given; add seeds or sizes");
        } else if (resamples_.degrees < 3) {
            warn("few_degrees_of_freedom",
                 fmt::format("intervals rest on {:.1f} degrees of freedom; add seeds or sizes", resamples_.degrees));
        }
    }

    void state_exponents() {
        const bool shared = result_.fit.sharing.exponent == Exponent::shared;
        result_.shared_exponent = shared ? exponent(result_.fit, resamples_, 0) : Estimate{nan, nan, nan, nan};
        const FamilyFit* own = fitted({result_.fit.sharing.floor, Exponent::own});
        if (own == nullptr) { return; }
        const FamilyResamples resamples = shared ? resample(*own) : resamples_;
        for (int v = 0; v < variants_; ++v) {
            result_.exponents.push_back(exponent(*own, resamples, v));
            result_.exponent_differences.push_back(exponent_difference(*own, resamples, 0, v));
        }
    }

    void state_multipliers() {
        std::set<double> beyond;
        for (int v = 0; v < variants_; ++v) {
            result_.multipliers.emplace_back();
            for (const double loss : options_.losses) {
                result_.multipliers.back().push_back(multiplier(points_, result_.fit, resamples_, 0, v, loss));
                if (result_.multipliers.back().back().extrapolated) { beyond.insert(loss); }
            }
        }
        for (const double loss : beyond) {
            warn("extrapolated", fmt::format("the loss {:.4g} lies beyond the runs of some variants by more than a "
                                             "factor of 2 in cost: its multipliers are extrapolated",
                                             loss));
        }
    }

    void judge_controls() {
        for (std::size_t v = 0; v < groups_.variants.size(); ++v) {
            if (!groups_.variants[v].is_control) { continue; }
            for (const auto& [loss, e, extrapolated] : result_.multipliers[v]) {
                if (!(e.low > 1) && !(e.high < 1)) { continue; }
                warn(
                    "control_differs",
                    fmt::format("{} is a copy of {}, but its multiplier at {:.4g} is {:.3f} [{:.3f}, {:.3f}]: "
                                "differences of this size are chance or a mistake",
                                groups_.variants[v].name, groups_.variants.front().name, loss, e.value, e.low, e.high));
            }
        }
    }

    const std::vector<LossPoint>& points_;
    const RunGroups& groups_;
    const CompareOptions& options_;
    int variants_;
    AxisResult& result_;
    std::vector<FamilyFit> fits_;
    FamilyResamples resamples_;
};

}  // namespace

std::vector<LossPoint> points_on(CostAxis axis, const std::vector<ComparedRun>& runs, const RunGroups& groups) {
    std::vector<LossPoint> points;
    for (std::size_t v = 0; v < groups.variants.size(); ++v) {
        for (const auto& placed : groups.variants[v].placed) {
            const RunRecord& record = runs[placed.run].record;
            const double cost = cost_of(axis, record);
            if (!(cost > 0) || !std::isfinite(cost)) { return {}; }
            points.push_back({static_cast<int>(v), placed.row, std::log(cost), *record.final_val_loss});
        }
    }
    return points;
}

AxisResult analyse_axis(CostAxis axis, const std::vector<LossPoint>& points, const RunGroups& groups,
                        const CompareOptions& options) {
    AxisResult result;
    result.axis = axis;
    result.points = points;
    if (points.empty()) {
        result.failure = std::string{"not all runs know their "} + to_text(axis);
        return result;
    }
    try {
        AxisAnalysis{points, groups, options, result}.run();
    } catch (const InputError& error) {
        result = {};
        result.axis = axis;
        result.points = points;
        result.failure = error.what();
    }
    return result;
}

}  // namespace loglog
