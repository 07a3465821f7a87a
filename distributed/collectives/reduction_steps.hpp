#pragma once

#include <cstdint>
#include <vector>

namespace loglog {

/// What one rank does to sum ranks' values in the fixed order of Reduction::tree.
struct ReductionStep {
    enum class Action : std::uint8_t {
        exchange,         ///< send own value, receive the peer's, add the lower rank's and the higher rank's
        receive_add,      ///< add the peer's value, which belongs to higher ranks
        send,             ///< send own value
        receive_replace,  ///< take the peer's value
    };
    Action action;
    int peer;
};

/// Every rank gets the sum: recursive doubling for powers of two; else the tree that joins neighbours of equal weight,
/// leftovers from the right, summed up to rank 0 and sent down again.
std::vector<ReductionStep> all_reduce_steps(int rank, int size);
/// `root` gets the sum.
std::vector<ReductionStep> reduce_steps(int rank, int size, int root);

/// The order in which that tree joins `leaves` values, each named by its lowest leaf: value `left` becomes left +
/// right.
struct Join {
    int left;
    int right;
};
std::vector<Join> joins(int leaves);

}  // namespace loglog
