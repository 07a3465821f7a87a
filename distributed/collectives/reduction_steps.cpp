#include "distributed/collectives/reduction_steps.hpp"

#include <bit>

namespace loglog {

using enum ReductionStep::Action;

std::vector<Join> joins(int leaves) {
    struct Node {
        int lowest;
        int weight;
    };
    std::vector<Join> result;
    std::vector<Node> open;
    const auto join_last_two = [&] {
        const Node right = open.back();
        open.pop_back();
        result.push_back({open.back().lowest, right.lowest});
        open.back().weight += right.weight;
    };
    for (int leaf = 0; leaf < leaves; ++leaf) {
        open.push_back({leaf, 1});
        while (open.size() > 1 && open[open.size() - 2].weight == open.back().weight) { join_last_two(); }
    }
    while (open.size() > 1) { join_last_two(); }
    return result;
}

namespace {

std::vector<ReductionStep> steps_up(int rank, const std::vector<Join>& tree) {
    std::vector<ReductionStep> steps;
    for (const auto [left, right] : tree) {
        if (rank == left) { steps.push_back({receive_add, right}); }
        if (rank == right) { steps.push_back({send, left}); }
    }
    return steps;
}

}  // namespace

std::vector<ReductionStep> all_reduce_steps(int rank, int size) {
    std::vector<ReductionStep> steps;
    if (std::has_single_bit(static_cast<unsigned>(size))) {
        for (int distance = 1; distance < size; distance *= 2) { steps.push_back({exchange, rank ^ distance}); }
        return steps;
    }
    const auto tree = joins(size);
    steps = steps_up(rank, tree);
    for (auto join = tree.rbegin(); join != tree.rend(); ++join) {
        if (rank == join->left) { steps.push_back({send, join->right}); }
        if (rank == join->right) { steps.push_back({receive_replace, join->left}); }
    }
    return steps;
}

std::vector<ReductionStep> reduce_steps(int rank, int size, int root) {
    auto steps = steps_up(rank, joins(size));
    if (root != 0 && rank == 0) { steps.push_back({send, root}); }
    if (root != 0 && rank == root) { steps.push_back({receive_replace, 0}); }
    return steps;
}

}  // namespace loglog
