#include "analysis/inference/sensitivity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "analysis/fit/parallel.hpp"

namespace loglog {
namespace {

constexpr double same_size = 0.01;  // relative
constexpr std::size_t most_rungs = 12;

using enum Objective::Residual;
using enum Objective::Penalty;

std::string describe(const Objective& objective) {
    return objective.penalty == huber ? fmt::format("{}, delta {:g}", to_string(objective), objective.delta)
                                      : to_string(objective);
}

std::vector<Objective> other_objectives(const Objective& asked) {
    std::vector<Objective> all;
    for (const double delta : {1e-4, 1e-3, 1e-2, 1e-1}) { all.push_back({log, huber, delta}); }
    all.push_back({log, absolute, asked.delta});
    all.push_back({log, squares, asked.delta});
    all.push_back({linear, huber, 1e-3});
    all.push_back({linear, squares, asked.delta});
    std::erase_if(all, [&](const Objective& one) { return describe(one) == describe(asked); });
    return all;
}

}  // namespace

std::vector<std::vector<std::size_t>> rungs(const Points& points, std::size_t variable) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < points.size(); ++i) {
        if (points.weight[i] > 0) { order.push_back(i); }
    }
    const auto value = [&](std::size_t i) { return points.ln_x[i][variable]; };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return value(i) < value(j); });
    std::vector<std::vector<std::size_t>> sizes;
    for (const std::size_t i : order) {
        if (sizes.empty() || value(i) - value(sizes.back().front()) > same_size) { sizes.emplace_back(); }
        sizes.back().push_back(i);
    }
    if (sizes.size() <= most_rungs) { return sizes; }
    std::vector<std::vector<std::size_t>> merged;
    std::size_t placed = 0;
    for (const auto& size : sizes) {
        if (placed * most_rungs >= merged.size() * order.size()) { merged.emplace_back(); }
        merged.back().insert(merged.back().end(), size.begin(), size.end());
        placed += size.size();
    }
    return merged;
}

std::vector<Refit> vary_choices(const Law& law, const Points& points, const Objective& objective,
                                const Optimum& optimum, const std::vector<Outlier>& outliers,
                                const std::string& size_name, int threads) {
    const auto near = endings(optimum);
    std::vector<std::function<Refit()>> tasks;
    tasks.emplace_back([&] { return refit("as asked: " + describe(objective), law, points, objective, near); });
    for (const Objective& other : other_objectives(objective)) {
        tasks.emplace_back([&, other] { return refit(describe(other), law, points, other, near); });
    }
    const auto leave_out = [&](std::string choice, std::vector<std::size_t> left_out) {
        tasks.emplace_back([&, choice = std::move(choice), left_out = std::move(left_out)] {
            return refit(choice, law, without(points, left_out), objective, near);
        });
    };
    const auto sizes = rungs(points, 0);
    if (sizes.size() > 1) {
        leave_out(fmt::format("without the smallest {} ({} points)", size_name, sizes.front().size()), sizes.front());
        leave_out(fmt::format("without the largest {} ({} points)", size_name, sizes.back().size()), sizes.back());
    }
    if (!outliers.empty()) {
        std::vector<std::size_t> flagged;
        for (const Outlier& outlier : outliers) { flagged.push_back(outlier.point); }
        leave_out(fmt::format("without the {} outliers", flagged.size()), flagged);
    }
    std::vector<Refit> refits(tasks.size());
    parallel_for(static_cast<int>(tasks.size()), threads, [&](int i) {
        const auto index = static_cast<std::size_t>(i);
        refits[index] = tasks[index]();
    });
    return refits;
}

std::vector<ChoiceRange> ranges_of(const std::vector<Refit>& refits) {
    std::vector<ChoiceRange> ranges;
    const auto extend = [&](const std::string& name, double value, const std::string& choice) {
        if (!std::isfinite(value)) { return; }
        auto found = std::find_if(ranges.begin(), ranges.end(), [&](const auto& range) { return range.name == name; });
        if (found == ranges.end()) { found = ranges.insert(ranges.end(), {name, value, value, choice, choice}); }
        if (value < found->low) {
            found->low = value;
            found->low_choice = choice;
        }
        if (value > found->high) {
            found->high = value;
            found->high_choice = choice;
        }
    };
    for (const Refit& one : refits) {
        for (const auto& [name, value] : one.parameters) { extend(name, value, one.choice); }
        for (const auto& [name, value] : one.derived) { extend(name, value, one.choice); }
    }
    return ranges;
}

}  // namespace loglog
