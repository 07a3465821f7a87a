#include "analysis/laws/allocation.hpp"

#include <cmath>

namespace loglog {

Allocation allocate(double a_term, double b_term, double alpha, double beta) {
    const double sum = alpha + beta;
    return {beta / sum, alpha / sum, std::pow(alpha * a_term / (beta * b_term), 1 / sum)};
}

std::vector<NamedValue> derived_of(const Allocation& allocation) {
    return {{"a", allocation.a}, {"b", allocation.b}, {"G", allocation.g}};
}

}  // namespace loglog
