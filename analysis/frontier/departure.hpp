#pragma once

#include <vector>

#include "analysis/laws/law.hpp"

namespace loglog {

/// A choice of size and tokens that is not the compute-optimal one of its budget.
struct Departure {
    enum class Kind {
        size,                  ///< a model `factor` times as large as optimal
        tokens_per_parameter,  ///< D/N `factor` times that of the optimum: over-training for factors above 1
    };
    Kind kind = Kind::size;
    double factor = 1;
};

const char* to_text(Departure::Kind kind) noexcept;

/// Whether the law is one of N and D alone with a compute-optimal line under C = 6ND.
bool has_frontier(const Law& law);
/// Throws InputError unless has_frontier().
void require_frontier(const Law& law);

/// What a departure costs at a budget of C FLOPs under C = 6ND. In order:
/// C, N and D at that same compute, loss there, excess_loss over the optimum's (nats); then what it takes to reach the
/// optimum's loss all the same: N_same_loss, D_same_loss, compute_ratio = their 6ND / C, size_ratio = their N over the
/// optimal one. A model too small to reach that loss with any number of tokens has infinite D_same_loss and
/// compute_ratio.
///
/// For Kind::size N is kept and D grows; for Kind::tokens_per_parameter D/N is kept (the over-training of Gadre et al.
/// 2024, arXiv:2403.08540).
std::vector<NamedValue> cost(const Law& law, const Values& natural, double budget, const Departure& departure);

}  // namespace loglog
