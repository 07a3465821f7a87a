#pragma once

#include <span>
#include <string>
#include <vector>

namespace loglog {

/// Which runs of a two-dimensional set (sizes x token counts) a law of one variable is fitted to.
struct Selection {
    std::vector<std::size_t> kept;            ///< ascending
    std::vector<std::string> dropped_reason;  ///< per run; empty for those kept
    bool others_differ = false;  ///< what should be equal among the kept (D for a law of N, N for a law of D) is not
};

/// For a law of x, keeps per value of x the runs with the largest `other` (all seeds of that cell): for L(N) the runs
/// trained longest at each size, for L(D) the largest model at each token count. Values within 1e-6 (relative) are the
/// same.
Selection largest_other_per_value(std::span<const double> x, std::span<const double> other, const std::string& x_name,
                                  const std::string& other_name);

/// For a law of compute, keeps the lower envelope: the runs that no run of at most as much compute beats.
Selection lower_envelope(std::span<const double> compute, std::span<const double> loss);

}  // namespace loglog
