#pragma once

#include <vector>

#include "analysis/laws/law.hpp"

namespace loglog {

/// Where A N^-alpha + B D^-beta is least under C = 6ND: N = G (C/6)^a, D = (C/6)^b / G, with a = beta/(alpha+beta),
/// b = 1 - a, G = (alpha A / (beta B))^(1/(alpha+beta)). Hoffmann et al. 2022, arXiv:2203.15556, eq. 4. The same holds
/// for every loss that grows with that sum alone.
struct Allocation {
    double a, b, g;
};

Allocation allocate(double a_term, double b_term, double alpha, double beta);

/// {"a", "b", "G"}.
std::vector<NamedValue> derived_of(const Allocation& allocation);

/// {"C", "N", "D", "tokens_per_parameter", "loss"} at a budget of C FLOPs; `loss(N, D)` is the law's.
template <class Loss>
std::vector<NamedValue> predict_optimum(const Allocation& allocation, double budget, const Loss& loss) {
    const double n = allocation.g * std::pow(budget / 6, allocation.a);
    const double d = std::pow(budget / 6, allocation.b) / allocation.g;
    return {{"C", budget}, {"N", n}, {"D", d}, {"tokens_per_parameter", d / n}, {"loss", loss(n, d)}};
}

}  // namespace loglog
