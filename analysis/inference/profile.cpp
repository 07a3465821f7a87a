#include "analysis/inference/profile.hpp"

#include <algorithm>
#include <array>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include "analysis/fit/parallel.hpp"
#include "analysis/inference/covariance.hpp"
#include "analysis/inference/robust_scale.hpp"

namespace loglog {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double widest_logarithm = 60;  // a factor e^60 away from the estimate counts as unbounded
constexpr double lower_by = 1e-6;        // relative: a refit below the optimum by more was another optimum
constexpr int most_steps = 60;
constexpr double end_tolerance = 1e-4;  // of the interval's end, in units of the distance to the optimum

/// The scale on which a parameter is moved: that of its coordinate where it has one of its own, else its logarithm.
class Scale {
  public:
    explicit Scale(const ParameterSpec& spec) : spec_{spec} {}

    double enter(double reported) const {
        switch (spec_.link.kind) {
            case Link::Kind::value:
                return reported;
            case Link::Kind::reciprocal:
                return 1 / reported;
            default:
                return std::log(reported);
        }
    }
    double leave(double moved) const {
        switch (spec_.link.kind) {
            case Link::Kind::value:
                return moved;
            case Link::Kind::reciprocal:
                return moved > 0 ? 1 / moved : std::numeric_limits<double>::infinity();
            default:
                return std::exp(moved);
        }
    }
    /// The furthest that the parameter may be moved from `best` upwards (direction 1) or downwards (-1).
    double limit(double best, int direction) const {
        const bool own = spec_.link.kind == Link::Kind::value || spec_.link.kind == Link::Kind::reciprocal;
        if (!own) { return best + direction * widest_logarithm; }
        return direction > 0 ? spec_.upper : spec_.lower;
    }
    bool reversed() const { return spec_.link.kind == Link::Kind::reciprocal; }
    /// The reported end of a side that never rises.
    double open_end(int direction) const {
        const bool from_zero = spec_.link.kind == Link::Kind::value && spec_.lower >= 0 && spec_.lower < 1e-3;
        return from_zero && direction < 0 ? 0.0 : nan;
    }

  private:
    const ParameterSpec& spec_;
};

/// The profile of one parameter.
class Profile {
  public:
    Profile(const Law& law, const Points& points, const Objective& objective, const Minimum& best,
            std::size_t parameter)
        : law_{law},
          points_{points},
          objective_{objective},
          best_{best},
          parameter_{parameter},
          scale_{law.parameters()[parameter]},
          place_{scale_.enter(law.natural(best.coordinates, points.centre)[parameter])} {
        for (const ParameterSpec& spec : law.parameters()) { holds_.push_back(spec.hold); }
    }

    /// Where the rise of the objective reaches `height`, or nothing; `step` is a first guess at the distance.
    std::optional<double> end(int direction, double height, double step) {
        const double limit = scale_.limit(place_, direction);
        Values start = best_.coordinates;
        double inside = place_;
        double root_inside = 0;  // of the rise, which is nearly linear in the distance
        const double root_height = std::sqrt(height);
        for (int i = 0; i < most_steps; ++i, step *= 2) {
            const double outside = direction > 0 ? std::min(place_ + step, limit) : std::max(place_ - step, limit);
            const double root_outside = std::sqrt(std::max(rise(outside, start), 0.0));
            if (root_outside >= root_height) {
                return refine({inside, root_inside}, {outside, root_outside}, root_height, start);
            }
            inside = outside;
            root_inside = root_outside;
            if (outside == limit) { return std::nullopt; }
        }
        return std::nullopt;
    }

    const Scale& scale() const { return scale_; }
    double place() const { return place_; }
    bool found_lower() const { return found_lower_; }

  private:
    struct Known {
        double place;
        double root;
    };

    /// The bracket's root by the Illinois variant of false position.
    double refine(Known inside, Known outside, double root_height, Values start) {
        const double tolerance = end_tolerance * std::abs(outside.place - place_);
        double weight_inside = inside.root - root_height;
        double weight_outside = outside.root - root_height;
        int kept = 0;
        for (int i = 0; i < most_steps && std::abs(outside.place - inside.place) > tolerance; ++i) {
            const double middle =
                inside.place - weight_inside * (outside.place - inside.place) / (weight_outside - weight_inside);
            const double root = std::sqrt(std::max(rise(middle, start), 0.0));
            if (std::abs(root - root_height) < end_tolerance * root_height) { return middle; }
            if (root < root_height) {
                inside.place = middle;
                weight_inside = root - root_height;
                if (kept == 1) { weight_outside /= 2; }
                kept = 1;
            } else {
                outside.place = middle;
                weight_outside = root - root_height;
                if (kept == -1) { weight_inside /= 2; }
                kept = -1;
            }
        }
        return (inside.place + outside.place) / 2;
    }

    /// Of the least objective with the parameter at `place` over the optimum's; `start` is taken along.
    double rise(double place, Values& start) {
        holds_[parameter_] = {Hold::Kind::fixed, scale_.leave(place), -1};
        const std::shared_ptr<const Law> held = law_.held(holds_);
        Minimum end = polish(*held, points_, objective_, start);
        if (!end.converged) {
            const Minimum again = polish(*held, points_, objective_, best_.coordinates);
            if (again.value < end.value) { end = again; }
        }
        if (!std::isfinite(end.value)) { return std::numeric_limits<double>::infinity(); }
        start = end.coordinates;
        if (end.value < best_.value * (1 - lower_by)) { found_lower_ = true; }
        return end.value - best_.value;
    }

    const Law& law_;
    const Points& points_;
    const Objective& objective_;
    const Minimum& best_;
    std::size_t parameter_;
    Scale scale_;
    double place_;
    std::vector<Hold> holds_;
    bool found_lower_ = false;
};

/// An absolute penalty's corner makes its profile's steps too: a small quadratic middle rounds it off.
Objective rounded(const Objective& objective, const Noise& noise) {
    if (objective.penalty != Objective::Penalty::absolute) { return objective; }
    return {objective.residual, Objective::Penalty::huber, std::max(noise.scale / 100, 1e-12)};
}

double degrees_of_freedom(const Points& points, const Noise& noise) {
    if (points.group.empty()) { return noise.degrees; }
    const auto last = *std::max_element(points.group.begin(), points.group.end());
    return std::clamp(static_cast<double>(last), 1.0, noise.degrees);
}

/// By how much grouping widens each parameter's variance, which the objective's rise knows nothing of (Kent 1982,
/// "Robust properties of likelihood ratio tests"): 1 where points are by themselves.
std::vector<double> group_inflation(const Law& law, const Points& points, const Objective& objective,
                                    const Optimum& optimum) {
    std::vector<double> inflation(law.parameters().size(), 1.0);
    if (points.group.empty()) { return inflation; }
    Points separate = points;
    separate.group.clear();
    const Covariances grouped = parameter_covariance(law, points, objective, optimum, {}).asymptotic;
    const Covariances alone = parameter_covariance(law, separate, objective, optimum, {}).asymptotic;
    for (std::size_t k = 0; k < grouped.size() && k < alone.size(); ++k) {
        const double ratio = grouped[k][k] / alone[k][k];
        if (ratio > 0 && std::isfinite(ratio)) { inflation[k] = ratio; }
    }
    return inflation;
}

OpenSide open_side(bool low, bool high) {
    if (low) { return high ? OpenSide::both : OpenSide::low; }
    return high ? OpenSide::high : OpenSide::none;
}

}  // namespace

const char* to_text(OpenSide side) noexcept {
    switch (side) {
        case OpenSide::none:
            return "";
        case OpenSide::low:
            return "low";
        case OpenSide::high:
            return "high";
        case OpenSide::both:
            return "both";
    }
    return "";
}

Profiles profile_intervals(const Law& law, const Points& points, const Objective& asked, const Optimum& optimum,
                           double level, int threads) {
    Profiles profiles;
    const Noise noise = noise_of(law, points, asked, optimum.best.coordinates);
    if (!(noise.scale > 0) || noise.degrees < 1) { return profiles; }
    const Objective objective = rounded(asked, noise);
    const Minimum best = asked.penalty == Objective::Penalty::absolute
                             ? polish(law, points, objective, optimum.best.coordinates)
                             : optimum.best;
    const boost::math::students_t student{degrees_of_freedom(points, noise)};
    const double t = boost::math::quantile(student, (1 + level) / 2);
    const double height = robust_scale(noise, objective.threshold(0)).rise() * t * t / 2;
    const std::vector<double> inflation = group_inflation(law, points, asked, optimum);

    const auto specs = law.parameters();
    std::vector<std::optional<ProfileInterval>> found(specs.size());
    std::vector<char> lower(specs.size(), 0);
    parallel_for(static_cast<int>(specs.size()), threads, [&](int parameter) {
        const auto k = static_cast<std::size_t>(parameter);
        if (!specs[k].is_free()) { return; }
        Profile profile{law, points, objective, best, k};
        const double step = std::max(0.05 * std::abs(profile.place()), 1e-3);
        std::array<std::optional<double>, 2> ends;
        for (const int side : {0, 1}) {
            const int direction = side == 0 ? -1 : 1;
            ends[side] = profile.end(profile.scale().reversed() ? -direction : direction, height * inflation[k], step);
        }
        const auto reported_end = [&](int side) {
            return ends[side] ? profile.scale().leave(*ends[side]) : profile.scale().open_end(side == 0 ? -1 : 1);
        };
        found[k] = {std::string{specs[k].name}, reported_end(0), reported_end(1), open_side(!ends[0], !ends[1])};
        lower[k] = profile.found_lower() ? 1 : 0;
    });
    for (const auto& interval : found) {
        if (interval) { profiles.intervals.push_back(*interval); }
    }
    profiles.found_lower = std::find(lower.begin(), lower.end(), 1) != lower.end();
    return profiles;
}

}  // namespace loglog
