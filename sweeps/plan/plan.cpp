#include "sweeps/plan/plan.hpp"

#include <algorithm>
#include <numeric>

namespace loglog {

double predict_seconds(const RunSpec& spec, const RunCost& cost, double flops_per_second) {
    if (flops_per_second <= 0) { return 0; }
    const std::int64_t steps = total_steps(spec);
    const std::int64_t every = std::max<std::int64_t>(1, spec.train.eval_every);
    const auto evaluations = static_cast<double>(steps / every + (steps % every != 0 ? 1 : 0));
    const double evaluation_flops = cost.flops_per_token / 3 * static_cast<double>(spec.train.eval_tokens);
    return (cost.flops(spec) + evaluations * evaluation_flops) / flops_per_second;
}

std::vector<std::size_t> longest_first(const Plan& plan) {
    std::vector<std::size_t> order(plan.runs.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto length = [&](std::size_t i) {
        const PlannedRun& run = plan.runs[i];
        return run.predicted_seconds > 0 ? run.predicted_seconds : run.cost.flops(run.spec) * 1e-12;
    };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return length(a) > length(b); });
    return order;
}

double packed_seconds(const Plan& plan, int ranks) {
    std::vector<double> busy_until(static_cast<std::size_t>(std::max(1, ranks)), 0.0);
    for (const std::size_t i : longest_first(plan)) {
        *std::min_element(busy_until.begin(), busy_until.end()) += plan.runs[i].predicted_seconds;
    }
    return *std::max_element(busy_until.begin(), busy_until.end());
}

}  // namespace loglog
