#include "analysis/attention/family_tests.hpp"

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/fisher_f.hpp>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

namespace loglog {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double rounding = 1e-24;  // sum of squares of losses that are met exactly

int variants_of(const FamilyFit& fit) { return static_cast<int>(fit.laws.size()); }

}  // namespace

FamilyScore score(const FamilyFit& fit, std::size_t points) {
    FamilyScore s;
    const double n = static_cast<double>(points);
    s.sharing = fit.sharing;
    s.parameters = parameter_count(fit.sharing, variants_of(fit));
    s.squares = fit.squares;
    const double left = n - s.parameters;
    s.residual_sd = left > 0 ? std::sqrt(fit.squares / left) : nan;
    const double variance = std::max(fit.squares, rounding) / n;
    s.log_likelihood = -0.5 * n * (std::log(2 * std::numbers::pi * variance) + 1);
    const double k = s.parameters + 1;
    s.aicc = n - k - 1 > 0 ? 2 * k - 2 * s.log_likelihood + 2 * k * (k + 1) / (n - k - 1)
                           : std::numeric_limits<double>::infinity();
    return s;
}

NestedTest test_nested(std::string question, const FamilyFit& null, const FamilyFit& alternative, std::size_t points) {
    NestedTest test;
    test.question = std::move(question);
    test.null = null.sharing;
    test.alternative = alternative.sharing;
    const int parameters = parameter_count(alternative.sharing, variants_of(alternative));
    test.degrees = parameters - parameter_count(null.sharing, variants_of(null));
    const double left = static_cast<double>(points) - parameters;
    // The null cannot do better than what contains it: the rest is the solvers' rounding.
    const double better = std::max(std::min(alternative.squares, null.squares), rounding);
    const double worse = std::max(null.squares, rounding);
    test.statistic = static_cast<double>(points) * std::log(worse / better);
    test.f = (worse - better) / test.degrees / (better / left);
    if (test.degrees <= 0 || left < 1 || !std::isfinite(test.statistic) || !std::isfinite(test.f)) {
        test.p_asymptotic = test.f = test.p = nan;
        return test;
    }
    using boost::math::cdf;
    using boost::math::complement;
    test.p_asymptotic = cdf(complement(boost::math::chi_squared{static_cast<double>(test.degrees)}, test.statistic));
    test.p = cdf(complement(boost::math::fisher_f{static_cast<double>(test.degrees), left}, test.f));
    return test;
}

}  // namespace loglog
