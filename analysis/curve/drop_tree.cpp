#include "analysis/curve/drop_tree.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace loglog {
namespace {

constexpr std::size_t node_count = 6;
constexpr double least_smoothness = 1e-4;  // error of the interpolated ln rate that a block may have

using Weights = std::array<double, node_count>;

/// Chebyshev points of the first kind in [0, 1].
const Weights& chebyshev_points() {
    static const Weights points = [] {
        Weights p{};
        for (std::size_t j = 0; j < node_count; ++j) {
            p[j] = (1 - std::cos((2.0 * static_cast<double>(j) + 1) * std::numbers::pi / (2.0 * node_count))) / 2;
        }
        return p;
    }();
    return points;
}

/// The interpolating polynomial's coefficients of the values at the points, at `x` in [0, 1].
Weights lagrange(double x) {
    const Weights& p = chebyshev_points();
    Weights weights;
    for (std::size_t j = 0; j < node_count; ++j) {
        weights[j] = 1;
        for (std::size_t i = 0; i < node_count; ++i) {
            if (i != j) { weights[j] *= (x - p[i]) / (p[j] - p[i]); }
        }
    }
    return weights;
}

}  // namespace

DropTree::DropTree(std::span<const double> rates) {
    cumulative_.reserve(rates.size());
    double sum = 0;
    double fallen = 0;
    for (std::size_t k = 0; k < rates.size(); ++k) {
        if (k > 0 && rates[k] != rates[k - 1]) {
            const double drop = rates[k - 1] - rates[k];
            events_.push_back({k, drop, std::log(rates[k]), sum});
            if (drop > 0) {
                fallen += drop;
                mean_ln_rate_ += drop * events_.back().ln_rate;
            }
        }
        sum += rates[k];
        cumulative_.push_back(sum);
    }
    if (fallen > 0) { mean_ln_rate_ /= fallen; }
    if (fallen == 0 && rates.size() > 1) { mean_ln_rate_ = std::log(rates.back()); }
    if (!events_.empty()) { root_ = build(0, events_.size()); }
}

std::size_t DropTree::build(std::size_t begin, std::size_t end) {
    std::size_t left = 0;
    std::size_t right = 0;
    if (end - begin > node_count) {
        const std::size_t middle = begin + (end - begin) / 2;
        left = build(begin, middle);
        right = build(middle, end);
    }
    if (blocks_.empty()) {  // position 0 stands for "no child"
        blocks_.push_back({0, 0, {}});
        left_.push_back(0);
        right_.push_back(0);
    }
    blocks_.push_back({begin, end, interpolate(begin, end)});
    left_.push_back(left);
    right_.push_back(right);
    return blocks_.size() - 1;
}

std::vector<DropTree::Node> DropTree::interpolate(std::size_t begin, std::size_t end) const {
    if (end - begin <= node_count) { return {}; }
    const double low = events_[begin].before;
    const double width = events_[end - 1].before - low;
    std::vector<Node> nodes;
    std::size_t event = begin;
    for (const double point : chebyshev_points()) {
        const double before = low + point * width;
        while (event + 2 < end && events_[event + 1].before < before) { ++event; }
        const auto& from = events_[event];
        const auto& to = events_[event + 1];
        const double share = (before - from.before) / (to.before - from.before);
        nodes.push_back({0, from.ln_rate + share * (to.ln_rate - from.ln_rate), before});
    }
    for (std::size_t i = begin; i < end; ++i) {
        const Weights weights = lagrange((events_[i].before - low) / width);
        double ln_rate = 0;
        for (std::size_t j = 0; j < node_count; ++j) {
            nodes[j].drop += weights[j] * events_[i].drop;
            ln_rate += weights[j] * nodes[j].ln_rate;
        }
        if (!(std::abs(ln_rate - events_[i].ln_rate) <= least_smoothness)) { return {}; }
    }
    return nodes;
}

void DropTree::collect(std::size_t at, std::size_t t, double sum, std::vector<DropTerm>& terms) const {
    const Block& block = blocks_[at];
    if (events_[block.begin].step > t) { return; }
    const auto& last = events_[block.end - 1];
    const double width = last.before - events_[block.begin].before;
    if (!block.nodes.empty() && last.step <= t && sum - last.before >= width) {
        for (const auto& [drop, ln_rate, before] : block.nodes) {
            terms.push_back({drop, ln_rate, std::log(sum - before)});
        }
        return;
    }
    if (left_[at] != 0) {
        collect(left_[at], t, sum, terms);
        collect(right_[at], t, sum, terms);
        return;
    }
    for (std::size_t i = block.begin; i < block.end && events_[i].step <= t; ++i) {
        terms.push_back({events_[i].drop, events_[i].ln_rate, std::log(sum - events_[i].before)});
    }
}

std::vector<DropTerm> DropTree::terms(std::size_t t) const {
    std::vector<DropTerm> terms;
    if (!events_.empty()) { collect(root_, t, cumulative_[t], terms); }
    return terms;
}

}  // namespace loglog
