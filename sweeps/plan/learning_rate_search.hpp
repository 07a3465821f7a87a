#pragma once

#include <functional>
#include <optional>
#include <vector>

namespace loglog {

/// A learning rate of a search and the final validation loss it led to: infinity where the run diverged, nothing while
/// that is not known.
struct TriedRate {
    double lr = 0;
    std::optional<double> loss{};
};

/// How far the search for a learning rate is.
struct RateSearch {
    std::vector<TriedRate> rates;   ///< ascending, those still to be tried included
    bool settled = false;           ///< whether nothing is left to be tried
    std::optional<double> best_lr;  ///< once settled; none if all runs diverged
    int extensions = 0;             ///< rates beyond the first bracket
    bool bracketed = false;         ///< whether the best one has a neighbour on either side
};

inline constexpr int most_extensions = 3;

/// The search over `rates` (at least two, ascending), given what is known of each so far: the best is the one of least
/// loss, the lower one of two equals. While it is the first or last, one more rate is tried beyond it, as far away as
/// its neighbour; three times at most. Diverged runs count as the worst; if all of them did, lower rates are tried.
RateSearch search_rates(const std::vector<double>& rates,
                        const std::function<std::optional<double>(double lr)>& loss_of);

}  // namespace loglog
