#include "analysis/fit/selection.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace loglog {
namespace {

bool same(double left, double right) { return std::abs(left - right) <= 1e-6 * std::max(left, right); }

std::vector<std::size_t> order_by(std::span<const double> values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
    return order;
}

}  // namespace

Selection largest_other_per_value(std::span<const double> x, std::span<const double> other, const std::string& x_name,
                                  const std::string& other_name) {
    Selection selection;
    selection.dropped_reason.resize(x.size());
    const auto order = order_by(x);
    double first_largest = 0;
    for (std::size_t begin = 0; begin < order.size();) {
        std::size_t end = begin;
        double largest = 0;
        while (end < order.size() && same(x[order[end]], x[order[begin]])) {
            largest = std::max(largest, other[order[end++]]);
        }
        if (begin == 0) { first_largest = largest; }
        if (!same(largest, first_largest)) { selection.others_differ = true; }
        for (std::size_t k = begin; k < end; ++k) {
            const std::size_t i = order[k];
            if (same(other[i], largest)) {
                selection.kept.push_back(i);
            } else {
                selection.dropped_reason[i] = "not the largest " + other_name + " at its " + x_name;
            }
        }
        begin = end;
    }
    std::sort(selection.kept.begin(), selection.kept.end());
    return selection;
}

Selection lower_envelope(std::span<const double> compute, std::span<const double> loss) {
    Selection selection;
    selection.dropped_reason.resize(compute.size());
    auto order = order_by(compute);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) {
        return compute[i] != compute[j] ? compute[i] < compute[j] : loss[i] < loss[j];
    });
    double best = std::numeric_limits<double>::infinity();
    for (const std::size_t i : order) {
        if (loss[i] < best) {
            best = loss[i];
            selection.kept.push_back(i);
        } else {
            selection.dropped_reason[i] = "above the envelope: a run of at most as much compute has a lower loss";
        }
    }
    std::sort(selection.kept.begin(), selection.kept.end());
    return selection;
}

}  // namespace loglog
