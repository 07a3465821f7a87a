#include "analysis/attention/family_fit.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

constexpr int max_iterations = 200;
constexpr double least_exponent = 1e-6;  // a rising or flat law has no cost for a loss
constexpr double most_exponent = 10;
constexpr double highest_floor = 0.9999;  // share of the least loss

/// Where each number of a variant's law stands in the vector that is optimised; -1: it is not there.
struct Places {
    int floor, exponent, level;
};

class Family {
  public:
    Family(const std::vector<LossPoint>& points, int variants, const Sharing& sharing, Objective::Residual residual)
        : points_{points}, sharing_{sharing}, residual_{residual}, variants_{variants} {
        for (const auto& point : points) { centre_ += point.ln_cost / static_cast<double>(points.size()); }
        lay_out();
        bound_floors();
    }

    int size() const { return size_; }
    double centre() const { return centre_; }

    /// Sum of squares at q; with `normal` and `gradient`, also J^T J and J^T r.
    double evaluate(const Vector& q, Matrix* normal = nullptr, Vector* gradient = nullptr) const {
        if (normal != nullptr) {
            normal->setZero(size_, size_);
            gradient->setZero(size_);
        }
        double squares = 0;
        for (const auto& point : points_) {
            const Places& at = places_[static_cast<std::size_t>(point.variant)];
            const double x = point.ln_cost - centre_;
            const double power = std::exp(q[at.level] - q[at.exponent] * x);
            const double predicted = (at.floor < 0 ? 0 : q[at.floor]) + power;
            const bool log = residual_ == Objective::Residual::log;
            const double r = log ? std::log(predicted / point.loss) : predicted - point.loss;
            squares += r * r;
            if (normal == nullptr) { continue; }
            const double outer = log ? 1 / predicted : 1;
            const std::array<int, 3> place{at.level, at.exponent, at.floor};
            const std::array<double, 3> slope{outer * power, -outer * power * x, outer};
            const int count = at.floor < 0 ? 2 : 3;
            for (int j = 0; j < count; ++j) {
                (*gradient)[place[j]] += slope[j] * r;
                for (int k = 0; k < count; ++k) { (*normal)(place[j], place[k]) += slope[j] * slope[k]; }
            }
        }
        return std::isfinite(squares) ? squares : std::numeric_limits<double>::infinity();
    }

    void clamp(Vector& q) const {
        for (int k = 0; k < size_; ++k) { q[k] = std::clamp(q[k], lower_[k], upper_[k]); }
    }
    bool held(const Vector& q, const Vector& gradient, int k) const {
        return (q[k] <= lower_[k] && gradient[k] > 0) || (q[k] >= upper_[k] && gradient[k] < 0);
    }

    /// The straight lines of ln(L - floor) under given shares of the highest floor.
    Vector start_at(double share) const {
        Vector q = Vector::Constant(size_, 0.1);
        for (int v = 0; v < variants_; ++v) {
            const Places& at = places_[static_cast<std::size_t>(v)];
            const double floor = at.floor < 0 ? 0 : share * upper_[at.floor];
            if (at.floor >= 0) { q[at.floor] = floor; }
            double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
            for (const auto& point : points_) {
                if (point.variant != v) { continue; }
                const double x = point.ln_cost - centre_;
                const double y = std::log(point.loss - floor);
                n += 1, sx += x, sy += y, sxx += x * x, sxy += x * y;
            }
            const double spread = n * sxx - sx * sx;  // zero for a variant of one size, which borrows the exponent
            const double slope = spread > 1e-9 ? (n * sxy - sx * sy) / spread : -0.1;
            if (spread > 1e-9 || sharing_.exponent == Sharing::Exponent::own) {
                q[at.exponent] = std::max(-slope, 1e-3);
            }
            q[at.level] = (sy - slope * sx) / n;
        }
        clamp(q);
        return q;
    }

    Vector start_at(const FamilyFit& fit) const {
        Vector q(size_);
        for (int v = 0; v < variants_; ++v) {
            const Places& at = places_[static_cast<std::size_t>(v)];
            const VariantLaw& law = fit.laws[static_cast<std::size_t>(v)];
            if (at.floor >= 0) { q[at.floor] = law.floor; }
            q[at.exponent] = law.exponent;
            q[at.level] = law.level - law.exponent * (centre_ - fit.centre);
        }
        clamp(q);
        return q;
    }

    FamilyFit result(const Vector& q, double squares, bool converged) const {
        FamilyFit fit{sharing_, residual_, centre_, {}, squares, converged};
        for (const Places& at : places_) {
            fit.laws.push_back({at.floor < 0 ? 0 : q[at.floor], q[at.exponent], q[at.level]});
        }
        return fit;
    }

  private:
    void lay_out() {
        const bool shared_floor = sharing_.floor == Sharing::Floor::shared;
        const bool shared_exponent = sharing_.exponent == Sharing::Exponent::shared;
        const int floor = shared_floor ? size_++ : -1;
        const int exponent = shared_exponent ? size_++ : -1;
        for (int v = 0; v < variants_; ++v) {
            Places at{};
            at.level = size_++;
            at.exponent = shared_exponent ? exponent : size_++;
            at.floor = sharing_.floor == Sharing::Floor::own ? size_++ : floor;
            places_.push_back(at);
        }
    }
    void bound_floors() {
        lower_.setConstant(size_, -1e9);
        upper_.setConstant(size_, 1e9);
        for (const Places& at : places_) {
            lower_[at.exponent] = least_exponent;
            upper_[at.exponent] = most_exponent;
            if (at.floor >= 0) { lower_[at.floor] = 0; }
        }
        for (const auto& point : points_) {
            const int floor = places_[static_cast<std::size_t>(point.variant)].floor;
            if (floor >= 0) { upper_[floor] = std::min(upper_[floor], highest_floor * point.loss); }
        }
    }

    const std::vector<LossPoint>& points_;
    Sharing sharing_;
    Objective::Residual residual_;
    int variants_;
    int size_ = 0;
    double centre_ = 0;
    std::vector<Places> places_;
    Vector lower_, upper_;
};

struct End {
    Vector q;
    double squares;
    bool converged;
};

/// Levenberg-Marquardt with coordinates at a bound held while the gradient pushes against it.
End descend(const Family& family, Vector q) {
    Matrix normal;
    Vector gradient;
    double damping = 1e-3;
    double squares = family.evaluate(q, &normal, &gradient);
    for (int iteration = 0; iteration < max_iterations; ++iteration) {
        for (int k = 0; k < family.size(); ++k) {
            if (!family.held(q, gradient, k)) { continue; }
            normal.row(k).setZero();
            normal.col(k).setZero();
            normal(k, k) = 1;
            gradient[k] = 0;
        }
        bool moved = false;
        while (damping < 1e12) {
            Matrix damped = normal;
            damped.diagonal() += damping * normal.diagonal() + Vector::Constant(family.size(), 1e-300);
            const Vector step = damped.ldlt().solve(-gradient);
            const double promised = -gradient.dot(step);  // at least the gain of the linear model
            Vector trial = q + step;
            family.clamp(trial);
            const double value = family.evaluate(trial);
            // Neither a promised gain below rounding nor losses met to rounding leave anything to find.
            if (!(promised > 1e-13 * squares) || squares < 1e-26) { return {q, squares, true}; }
            if (value < squares) {
                q = trial;
                moved = true;
                damping = std::max(damping / 10, 1e-12);
                break;
            }
            damping *= 6;
        }
        if (!moved) { break; }
        squares = family.evaluate(q, &normal, &gradient);
    }
    return {q, squares, false};
}

void check_points(const std::vector<LossPoint>& points, int variants, const Sharing& sharing) {
    const int needed = sharing.exponent == Sharing::Exponent::shared ? 1 : sharing.floor == Sharing::Floor::own ? 3 : 2;
    bool any_spread = false;
    for (int v = 0; v < variants; ++v) {
        int count = 0;
        double low = std::numeric_limits<double>::infinity(), high = -low;
        for (const auto& point : points) {
            if (point.variant != v) { continue; }
            ++count;
            low = std::min(low, point.ln_cost);
            high = std::max(high, point.ln_cost);
        }
        const bool spread = high - low > 1e-6;
        any_spread = any_spread || spread;
        if (count < needed || (needed > 1 && !spread)) {
            throw InputError{"a law of its own needs at least " + std::to_string(needed) +
                             " runs of different cost, but a variant has " + std::to_string(count) +
                             (spread ? "" : " of one cost")};
        }
    }
    if (!any_spread) {
        throw InputError{"all runs have the same cost: how loss falls with it cannot be seen; add a second size"};
    }
    if (static_cast<int>(points.size()) < parameter_count(sharing, variants)) {
        throw InputError{"a family with " + std::string{to_text(sharing)} + " has " +
                         std::to_string(parameter_count(sharing, variants)) + " numbers but only " +
                         std::to_string(points.size()) + " runs"};
    }
}

}  // namespace

std::string_view to_text(const Sharing& sharing) noexcept {
    const bool shared = sharing.exponent == Sharing::Exponent::shared;
    switch (sharing.floor) {
        case Sharing::Floor::none:
            return shared ? "no floor, shared exponent" : "no floor, own exponents";
        case Sharing::Floor::shared:
            return shared ? "shared floor, shared exponent" : "shared floor, own exponents";
        case Sharing::Floor::own:
            return shared ? "own floors, shared exponent" : "own floors, own exponents";
    }
    return "";
}

int parameter_count(const Sharing& sharing, int variants) noexcept {
    const int floors = sharing.floor == Sharing::Floor::none     ? 0
                       : sharing.floor == Sharing::Floor::shared ? 1
                                                                 : variants;
    return floors + (sharing.exponent == Sharing::Exponent::shared ? 1 : variants) + variants;
}

double FamilyFit::predict(int variant, double ln_cost) const {
    const VariantLaw& law = laws[static_cast<std::size_t>(variant)];
    return law.floor + std::exp(law.level - law.exponent * (ln_cost - centre));
}

std::optional<double> FamilyFit::ln_cost_of(int variant, double loss) const {
    const VariantLaw& law = laws[static_cast<std::size_t>(variant)];
    if (!(loss > law.floor)) { return std::nullopt; }
    return centre + (law.level - std::log(loss - law.floor)) / law.exponent;
}

FamilyFit fit_family(const std::vector<LossPoint>& points, int variants, const Sharing& sharing,
                     Objective::Residual residual, const FamilyFit* start) {
    check_points(points, variants, sharing);
    const Family family{points, variants, sharing, residual};
    std::vector<Vector> starts;
    if (start != nullptr) {
        starts.push_back(family.start_at(*start));
    } else {
        starts = {family.start_at(0.0), family.start_at(0.4), family.start_at(0.8)};
        if (sharing.floor == Sharing::Floor::none) { starts.resize(1); }
    }
    std::optional<End> best;
    for (const Vector& from : starts) {
        End end = descend(family, from);
        if (!best || end.squares < best->squares) { best = std::move(end); }
    }
    return family.result(best->q, best->squares, best->converged);
}

}  // namespace loglog
