#include "analysis/design/advice.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <Eigen/Dense>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "analysis/inference/fit_information.hpp"
#include "engine/base/error.hpp"
#include "engine/base/nearest_name.hpp"

namespace loglog {
namespace {

using Vector = Eigen::VectorXd;
using Matrix = Eigen::MatrixXd;

constexpr double worth_keeping = 0.01;  // of the standard error
constexpr double worth_swapping = 1e-6;
constexpr std::array<std::string_view, 3> predicted_names{"N", "D", "loss"};

std::optional<double> named(const std::vector<NamedValue>& values, std::string_view name) {
    for (const NamedValue& one : values) {
        if (one.name == name) { return one.value; }
    }
    return std::nullopt;
}

/// The target at reported parameters.
double target_value(const Law& law, const Values& natural, const AdviceTarget& target) {
    if (target.budget > 0) { return named(law.predict(natural, target.budget), target.name).value(); }
    const auto specs = law.parameters();
    for (std::size_t k = 0; k < specs.size(); ++k) {
        if (specs[k].name == target.name) { return natural[k]; }
    }
    return named(law.derived(natural), target.name).value();
}

void require_target(const Law& law, const AdviceTarget& target) {
    const auto known = advice_targets(law);
    if (std::find(known.begin(), known.end(), target.name) == known.end()) {
        throw InputError{fmt::format("--shrink '{}' is nothing that the law '{}' gives{}; it must be one of {}",
                                     target.name, law.name(), did_you_mean(target.name, known),
                                     fmt::join(known, ", "))};
    }
    const bool predicted =
        std::find(predicted_names.begin(), predicted_names.end(), target.name) != predicted_names.end();
    if (predicted && !(target.budget > 0)) {
        throw InputError{fmt::format("--shrink {0}: say at which budget, as in --shrink {0} --at 1e18", target.name)};
    }
    if (!predicted && target.budget > 0) {
        throw InputError{fmt::format("--at is for --shrink N, D or loss; {} does not depend on a budget", target.name)};
    }
}

/// Sizes, amplitudes and scales are positive, and over orders of magnitude: their errors are relative.
bool is_relative(const Law& law, const AdviceTarget& target) {
    if (target.budget > 0) { return target.name != "loss"; }
    for (const ParameterSpec& spec : law.parameters()) {
        if (spec.name == target.name) { return spec.link.kind != Link::Kind::value; }
    }
    return false;
}

/// The law near its optimum, in the coordinates that the data could move.
class Linear {
  public:
    Linear(const Inference& inference, const AdviceTarget& target)
        : law_{*inference.law}, inference_{inference}, at_{inference.optimum.best.coordinates} {
        information_ = fit_information(law_, inference.points, inference.objective, at_);
        if (!(information_.spread() > 0)) {
            throw InputError{
                fmt::format("{} points leave no noise to tell how sure the law '{}' is: train some more runs first",
                            inference.points.size(), law_.name())};
        }
        relative_ = is_relative(law_, target);
        slope_ = slope(target);
        if (!(slope_.norm() > 0)) {
            throw InputError{
                fmt::format("{} is fixed or at a bound of the law '{}', so that no run is known to "
                            "shrink its interval",
                            target.name, law_.name())};
        }
    }

    bool relative() const { return relative_; }
    const Vector& target_slope() const { return slope_; }
    double standard_error(double unit_variance) const { return std::sqrt(information_.spread() * unit_variance); }

    Matrix inverse() const {
        Matrix matrix(size(), size());
        for (Eigen::Index j = 0; j < size(); ++j) {
            for (Eigen::Index k = 0; k < size(); ++k) { matrix(j, k) = information_.matrix[j][k]; }
        }
        const Eigen::LDLT<Matrix> factor{matrix};
        const Matrix inverse = factor.solve(Matrix::Identity(size(), size()));
        if (factor.info() != Eigen::Success || !factor.isPositive() || !inverse.allFinite()) {
            throw InputError{
                fmt::format("the runs do not tell the parameters of '{}' apart: train runs that vary N "
                            "and D independently first",
                            law_.name())};
        }
        return inverse;
    }

    /// Gradient of the residual that a run at `x` would have: that of a loss one unit below what is predicted, where
    /// the objective's gradient is the residual's own.
    Vector residual_slope(std::span<const double> x) const {
        Points one;
        one.variables = inference_.points.variables;
        one.centre = inference_.points.centre;
        std::array<double, max_variables> ln_x{};
        for (std::size_t k = 0; k < x.size(); ++k) { ln_x[k] = std::log(x[k]) - one.centre[k]; }
        const double ln_loss = law_.log_loss(at_, ln_x);
        one.ln_x = {ln_x};
        one.loss = {std::exp(ln_loss) - 1};
        one.ln_loss = {ln_loss - 1};
        one.weight = {1};
        const Expansion there = law_.expand(at_, one, inference_.objective, std::numeric_limits<double>::infinity());
        Vector slope(size());
        for (Eigen::Index k = 0; k < size(); ++k) { slope[k] = there.gradient[information_.free[k]]; }
        return slope;
    }

  private:
    Eigen::Index size() const { return static_cast<Eigen::Index>(information_.free.size()); }

    Vector slope(const AdviceTarget& target) const {
        const auto on_scale = [&](const Values& coordinates) {
            const double value = target_value(law_, law_.natural(coordinates, inference_.points.centre), target);
            return relative_ ? std::log(value) : value;
        };
        Vector slope(size());
        for (Eigen::Index k = 0; k < size(); ++k) {
            const std::size_t place = information_.free[k];
            const double step = 1e-5 * std::max(std::abs(at_[place]), 1e-2);
            Values above = at_;
            Values below = at_;
            above[place] += step;
            below[place] -= step;
            slope[k] = (on_scale(above) - on_scale(below)) / (2 * step);
        }
        return slope;
    }

    const Law& law_;
    const Inference& inference_;
    Values at_;
    FitInformation information_;
    bool relative_ = false;
    Vector slope_;
};

/// The variance of the target, up to the fit's spread, under sets of runs.
class Design {
  public:
    Design(const Linear& linear, std::span<const CandidateRun> candidates)
        : inverse_{linear.inverse()}, target_{linear.target_slope()} {
        for (const CandidateRun& run : candidates) {
            slopes_.push_back(linear.residual_slope(run.x));
            flops_.push_back(run.flops);
        }
    }

    std::size_t size() const { return slopes_.size(); }
    double flops(std::size_t candidate) const { return flops_[candidate]; }
    double flops(const std::vector<std::size_t>& runs) const {
        double sum = 0;
        for (const std::size_t run : runs) { sum += flops_[run]; }
        return sum;
    }
    double variance(const std::vector<std::size_t>& runs) const {
        Matrix inverse = inverse_;
        for (const std::size_t run : runs) {
            const Vector moved = inverse * slopes_[run];  // Sherman and Morrison
            inverse -= moved * moved.transpose() / (1 + slopes_[run].dot(moved));
        }
        return target_.dot(inverse * target_);
    }

  private:
    Matrix inverse_;
    Vector target_;
    std::vector<Vector> slopes_;
    std::vector<double> flops_;
};

class Search {
  public:
    Search(const Design& design, double budget, std::size_t most_runs)
        : design_{design}, budget_{budget}, most_runs_{most_runs} {}

    /// Runs in the order in which each gains most per FLOP.
    std::vector<std::size_t> run() {
        while (add_best()) {}
        while (exchange_best() || add_best()) {}
        drop_idle();
        return in_order();
    }

  private:
    bool is_chosen(std::size_t candidate) const {
        return std::find(chosen_.begin(), chosen_.end(), candidate) != chosen_.end();
    }

    bool add_best() {
        if (chosen_.size() >= most_runs_) { return false; }
        const double room = budget_ - design_.flops(chosen_);
        const double now = design_.variance(chosen_);
        double best_gain = 0;
        std::optional<std::size_t> best;
        std::vector<std::size_t> with = chosen_;
        with.push_back(0);
        for (std::size_t run = 0; run < design_.size(); ++run) {
            if (design_.flops(run) > room || is_chosen(run)) { continue; }
            with.back() = run;
            const double gain = (now - design_.variance(with)) / design_.flops(run);
            if (gain > best_gain) {
                best_gain = gain;
                best = run;
            }
        }
        if (best) { chosen_.push_back(*best); }
        return best.has_value();
    }

    /// Puts another run in the place of a chosen one where that lowers the variance most.
    bool exchange_best() {
        const double spent = design_.flops(chosen_);
        double least = design_.variance(chosen_) * (1 - worth_swapping);
        std::vector<std::size_t> best;
        for (std::size_t place = 0; place < chosen_.size(); ++place) {
            std::vector<std::size_t> with = chosen_;
            const double room = budget_ - spent + design_.flops(chosen_[place]);
            for (std::size_t run = 0; run < design_.size(); ++run) {
                if (design_.flops(run) > room || is_chosen(run)) { continue; }
                with[place] = run;
                const double variance = design_.variance(with);
                if (variance < least) {
                    least = variance;
                    best = with;
                }
            }
        }
        if (best.empty()) { return false; }
        chosen_ = std::move(best);
        return true;
    }

    void drop_idle() {
        for (std::size_t place = chosen_.size(); place-- > 0 && chosen_.size() > 1;) {
            std::vector<std::size_t> without = chosen_;
            without.erase(without.begin() + static_cast<std::ptrdiff_t>(place));
            const double rise = std::sqrt(design_.variance(without) / design_.variance(chosen_));
            if (rise < 1 + worth_keeping) { chosen_ = std::move(without); }
        }
    }

    std::vector<std::size_t> in_order() const {
        std::vector<std::size_t> left = chosen_;
        std::vector<std::size_t> order;
        while (!left.empty()) {
            const double now = design_.variance(order);
            const auto gain = [&](std::size_t run) {
                std::vector<std::size_t> with = order;
                with.push_back(run);
                return (now - design_.variance(with)) / design_.flops(run);
            };
            const auto next = std::max_element(left.begin(), left.end(),
                                               [&](auto one, auto other) { return gain(one) < gain(other); });
            order.push_back(*next);
            left.erase(next);
        }
        return order;
    }

    const Design& design_;
    double budget_;
    std::size_t most_runs_;
    std::vector<std::size_t> chosen_;
};

void require_affordable(std::span<const CandidateRun> candidates, double budget) {
    if (candidates.empty()) { throw InputError{"there is no run to choose from"}; }
    const auto cheapest = std::min_element(candidates.begin(), candidates.end(),
                                           [](const auto& one, const auto& other) { return one.flops < other.flops; });
    if (cheapest->flops > budget) {
        throw InputError{
            fmt::format("--budget {:.3g} FLOPs is less than the cheapest run worth considering costs: "
                        "{:.3g} FLOPs",
                        budget, cheapest->flops)};
    }
}

}  // namespace

std::vector<std::string> advice_targets(const Law& law) {
    std::vector<std::string> names;
    for (const ParameterSpec& spec : law.parameters()) { names.emplace_back(spec.name); }
    Values ones{};
    ones.fill(1.0);
    for (const NamedValue& one : law.derived(ones)) { names.emplace_back(one.name); }
    const auto predicted = law.predict(ones, 1e18);
    for (const std::string_view name : predicted_names) {
        if (named(predicted, name)) { names.emplace_back(name); }
    }
    return names;
}

Advice advise(const Inference& inference, const AdviceTarget& target, std::span<const CandidateRun> candidates,
              double budget, std::size_t most_runs) {
    require_target(*inference.law, target);
    require_affordable(candidates, budget);
    const Linear linear{inference, target};
    const Design design{linear, candidates};

    Advice advice;
    advice.value = target_value(*inference.law, inference.natural, target);
    advice.is_logarithm = linear.relative();
    advice.se_before = linear.standard_error(design.variance({}));
    std::vector<std::size_t> trained;
    for (const std::size_t run : Search{design, budget, most_runs}.run()) {
        trained.push_back(run);
        advice.runs.push_back({run, linear.standard_error(design.variance(trained))});
    }
    advice.flops = design.flops(trained);
    return advice;
}

}  // namespace loglog
