#pragma once

#include "analysis/fit/solver.hpp"

namespace loglog {

/// The best of a multi-start search.
struct Optimum {
    Minimum best;
    int starts = 0;
    int agreeing = 0;                ///< starts that ended within 1e-4 (relative) of the best objective
    std::vector<Values> also_tried;  ///< the few best distinct other endings, starts of the bootstrap's refits
};

/// Searches from every start of the law's grid, `threads` at a time; the result does not depend on `threads`.
///
/// Throws InputError when there are fewer points than parameters or when a variable takes one value only.
Optimum find_optimum(const Law& law, const Points& points, const Objective& objective, int threads);

}  // namespace loglog
