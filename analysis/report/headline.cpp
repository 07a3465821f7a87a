#include "analysis/report/headline.hpp"

#include "analysis/inference/likelihood.hpp"

namespace loglog {
namespace {

constexpr double no_support = 10;  // AICc above the best: Burnham and Anderson 2002, section 2.6

/// As choose_model() scores laws; all points of a page's fits have a weight.
double aicc(const Inference& fit) {
    const auto n = static_cast<double>(fit.points.size());
    return corrected_aic(log_likelihood(fit.objective, fit.optimum.best.value, n), n,
                         static_cast<double>(free_parameters(*fit.law)));
}

}  // namespace

Headline headline(const Report& report, std::string_view place) {
    const std::string plain = "power-" + std::string{place};
    const std::string bent = "saturating-" + std::string{place};
    const Inference* power = report.find(plain);
    const Inference* saturating = report.find(bent);
    if (power == nullptr || saturating == nullptr) { return {"power", plain, power}; }
    const double gain = aicc(*power) - aicc(*saturating);  // not a number where both have too few points
    if (!(gain > no_support)) { return {"power", plain, power}; }
    return {"saturating", bent, saturating, power, gain};
}

}  // namespace loglog
