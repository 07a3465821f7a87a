#pragma once

#include <vector>

#include "analysis/inference/study.hpp"

namespace loglog {

/// The exponents a and b of N_opt ~ C^a, D_opt ~ C^b by approaches 2 and 1 of Hoffmann et al. 2022, arXiv:2203.15556,
/// sec. 3.2 and 3.1, on the rows that `law` (approach 3, of N and D) was fitted to; for ExaminationOptions::approaches.
/// Each with its defaults and without intervals; `caveats` are the codes of its warnings.
///
/// An approach that the rows do not allow has the reason as its `failure`. Nothing for laws that have no
/// compute-optimal line (has_frontier).
std::vector<Refit> refit_by_approaches(const Dataset& data, const Question& question, const Law& law);

}  // namespace loglog
